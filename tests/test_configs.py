"""Every configuration composes; a new one is tested without an edit here."""

import itertools

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from latent_lab.configuration.validate import validate
from latent_lab.installation import CONF
from latent_lab.trust import make_safe

pytestmark = pytest.mark.slow


TRAIN_GROUPS = (
    "gan",
    "method",
    "dataset",
    "flow",
    "reconstructor",
    "evaluation",
    "trainer",
    "logger",
    "callbacks",
    "launcher",
    "debug",
)
ENCODER_GROUPS = ("encoder", "gan", "dataset", "trainer", "logger", "debug")
PRETRAIN_GROUPS = ("gan", "dataset", "trainer", "logger", "debug")


def choices(group: str) -> list[str]:
    return sorted(
        str(file.relative_to(CONF / group).with_suffix(""))
        for file in (CONF / group).rglob("*.yaml")
        if "base" not in file.parts
    )


def composed(command: str, *overrides: str):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(command, list(overrides), return_hydra_config=False)


def let_in(config, command: str) -> None:
    """The configuration is one that the command takes, and that a run's folder may hold."""
    plain = OmegaConf.to_container(config, resolve=True)
    validate(plain, command)
    make_safe(yaml.safe_load(OmegaConf.to_yaml(OmegaConf.create(plain))))


def together(groups: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Every choice of the groups once, one of each group at a time: composing takes long."""
    return [
        tuple(entry for entry in row if entry)
        for row in itertools.zip_longest(*[[f"{group}={choice}" for choice in choices(group)] for group in groups])
    ]


def overridden_gan(experiment: str) -> str | None:
    """The generator that an experiment asks for."""
    for entry in OmegaConf.load(CONF / "experiment" / f"{experiment}.yaml").get("defaults", []):
        if "override /gan" in entry:
            return entry["override /gan"]
    return None


@pytest.mark.parametrize("overrides", together(TRAIN_GROUPS), ids=" ".join)
def test_train_composes(overrides):
    if "launcher=slurm" in overrides:
        pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    let_in(composed("train", *overrides), "train")


@pytest.mark.parametrize("experiment", choices("experiment"))
def test_experiments_compose(experiment):
    if overridden_gan(experiment) not in (None, *choices("gan")):
        pytest.skip(f"gan={overridden_gan(experiment)} is not there yet")
    let_in(composed("train", f"experiment={experiment}"), "train")


@pytest.mark.parametrize("overrides", together(PRETRAIN_GROUPS), ids=" ".join)
def test_pretrain_composes(overrides):
    let_in(composed("pretrain", *overrides), "pretrain")


@pytest.mark.parametrize("overrides", together(ENCODER_GROUPS), ids=" ".join)
def test_train_encoder_composes(overrides):
    let_in(composed("train_encoder", *overrides), "train_encoder")


@pytest.mark.parametrize("choice", ["stylegan2", "stylegan2_car", "mobilestylegan_256"])
def test_train_fusion_composes(choice):
    config = OmegaConf.to_container(composed("train_fusion", f"gan={choice}"), resolve=True)
    let_in(OmegaConf.create(config), "train_fusion")
    assert config["region"] == config["person"] and set(config["features"]) == {"_target_", "features"}


@pytest.mark.parametrize("choice", choices("evaluation"))
def test_evaluate_composes(choice):
    config = OmegaConf.create(OmegaConf.to_container(composed("evaluate", f"evaluation={choice}")))
    config = OmegaConf.merge(config, {"gan": {"edits": {"length": 1.0}}, "dataset": {"targets": None}})
    assert OmegaConf.to_container(config, resolve=True)["evaluation"]["name"] == choice


def test_edit_composes():
    config = composed("edit", "source=[0,1]", "run=folder", "edits={age: 2, path3: -1.5}")
    assert list(OmegaConf.to_container(config, resolve=True)["edits"].items()) == [("age", 2), ("path3", -1.5)]


@pytest.mark.parametrize(
    ("group", "choice"), [(group, choice) for group in ("gan", "inverter") for choice in choices(group)]
)
def test_invert_composes(group, choice):
    let_in(composed("invert", f"{group}={choice}", "images=held_out"), "invert")


@pytest.fixture(scope="module")
def generators():
    """Each generator's part of a configuration, and its data set's."""
    return {gan: OmegaConf.masked_copy(composed("train", f"gan={gan}"), ["gan", "dataset"]) for gan in choices("gan")}


@pytest.mark.parametrize("method", choices("method"))
def test_every_generator_takes_every_method(method, generators):
    config = OmegaConf.create(OmegaConf.to_container(composed("train", f"method={method}")))
    for gan, parts in generators.items():
        config.gan, config.dataset = parts.gan, parts.dataset
        plain = OmegaConf.to_container(config, resolve=True)
        assert plain["gan"]["name"] == gan
        if "num_paths" in plain["method"] and method != "imported":
            assert plain["method"]["num_paths"] == plain["gan"]["edits"]["num_paths"]


@pytest.mark.parametrize("application", choices("application"))
def test_compose_composes(application):
    config = OmegaConf.to_container(composed("compose", f"application={application}", "target=."), resolve=True)
    validate(config, "compose")
    assert config["gan"]["space"] == "w+"


def test_a_flow_is_one_word():
    assert composed("train", "flow=ffjord").method.paths.flow == "ffjord"
