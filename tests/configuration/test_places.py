"""Keys of a yaml's bases stand in its own place, or one line says what to write."""

import pytest
from omegaconf import OmegaConf

from latent_lab.configuration.places import require_here
from latent_lab.configuration.validate import validate
from latent_lab.installation import choices, read_choice
from latent_lab.workflows.overrides import validate_here

MESSAGE = r"^method.base is a folder of conf/method: defaults of a yaml must say base/<name>@_here_$"


@pytest.mark.parametrize(
    "check",
    [lambda plain: validate_here(OmegaConf.create(plain), "train"), lambda plain: validate(plain, "train")],
    ids=["command", "stored"],
)
def test_a_base_without_here_is_one_line(check):
    bases = {"trained": {"lr_decay": 0.5}, "_target_": "latent_lab.methods.sefa.SeFa"}
    with pytest.raises(ValueError, match=MESSAGE):
        check({"seed": 0, "method": {"base": bases, "num_paths": 4}})


@pytest.mark.parametrize("group", ["method", "gan", "inverter", "application", "evaluation"])
def test_every_choice_of_this_installation_passes(group):
    for name in choices(group):
        require_here({group: read_choice(group, name)})
