"""Objects remember what they were made with, and are made again from it."""

import copy
import inspect
import json
import pickle

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from latent_lab.gans.sngan import SNGAN
from latent_lab.ops.recorded import Recorded
from latent_lab.paths.layerwise import LayerwisePaths
from latent_lab.paths.linear import LinearPaths


class Base(Recorded, nn.Module):
    unrecorded = ("rng",)

    def __init__(self, size: int, names=("a", "b"), rng=None, **options) -> None:
        super().__init__()
        self.size, self.names, self.options = size, tuple(names), options
        self.weight = nn.Parameter(torch.zeros(size))


class Doubled(Base):
    """Has arguments of its own, and changes what it hands on."""

    def __init__(self, size: int, *, half: bool = False) -> None:
        super().__init__(size if half else 2 * size, ["c"], colour=1)


class Settled(Base):
    def __init__(self, size: int | None = None) -> None:
        size = self.config["size"] = size or 3
        super().__init__(size)


class Inherited(Base):
    pass


@pytest.mark.parametrize(
    ("made", "config"),
    [
        (lambda: Base(2), {"size": 2, "names": ["a", "b"]}),
        (lambda: Base(names=("x",), size=2, rng=torch.Generator()), {"size": 2, "names": ["x"]}),
        (lambda: Base(2, OmegaConf.create(["x"])), {"size": 2, "names": ["x"]}),
        (
            lambda: Base(2, colour={"of": (1, 2)}, depth=1),
            {"size": 2, "names": ["a", "b"], "colour": {"of": [1, 2]}, "depth": 1},
        ),
        (lambda: Inherited(2), {"size": 2, "names": ["a", "b"]}),
        (lambda: Doubled(2), {"size": 2, "half": False}),
        (lambda: Settled(), {"size": 3}),
    ],
)
def test_the_outermost_arguments_are_recorded_and_rebuild(made, config):
    one = made()
    assert one.config == config and list(one.config) == list(config)
    again = type(one)(**json.loads(json.dumps(one.config)))
    assert again.config == config and type(again) is type(one)
    assert (again.size, again.names) == (one.size, one.names)
    assert {name: value.shape for name, value in again.state_dict().items()} == {
        name: value.shape for name, value in one.state_dict().items()
    }


def test_recorded_objects_within_others_are_described():
    paths = LayerwisePaths(LinearPaths(4, 2), range(2))
    base = {"class": "latent_lab.paths.linear.LinearPaths", "config": {"dim": 4, "num_paths": 2, "kind": "orthogonal"}}
    assert paths.config == {"base": base, "layers": [0, 1]}
    assert paths.description() == {"class": "latent_lab.paths.layerwise.LayerwisePaths", "config": paths.config}


def test_copies_have_the_config_of_the_original():
    one = SNGAN(8, (4, 4), 1)
    for again in (copy.deepcopy(one), pickle.loads(pickle.dumps(one)), copy.copy(one)):
        assert again.config == one.config == {"latent_dim": 8, "widths": [4, 4], "image_channels": 1}


def test_the_arguments_are_the_object_s_own():
    widths = [4, 4]
    one = SNGAN(8, widths)
    widths.append(4)
    assert one.config["widths"] == [4, 4] and SNGAN(8, [4, 8]).config["widths"] == [4, 8]


def test_a_wrong_call_is_told_as_python_tells_it():
    with pytest.raises(TypeError, match=r"SNGAN.__init__\(\) got an unexpected keyword argument 'depth'"):
        SNGAN(depth=3)
    with pytest.raises(
        TypeError, match=r"LinearPaths.__init__\(\) missing 1 required positional argument: 'num_paths'"
    ):
        LinearPaths(4)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("kind", [LinearPaths, SNGAN])
def test_a_constructor_that_forgets_its_bases_says_so(kind, late):
    class Forgetful(kind):
        def __init__(self, dim: int, num_paths: int = 2) -> None:
            self.dim = dim
            if late:
                self.weight = nn.Parameter(torch.zeros(dim))
                super().__init__(dim, num_paths)

    with pytest.raises(
        ValueError, match=r"^Forgetful.__init__ must call super\(\).__init__\(\) before all else, and does not$"
    ):
        Forgetful(3)
    assert list(inspect.signature(Forgetful).parameters) == ["dim", "num_paths"]


def test_other_faults_of_a_constructor_stay_what_they_are():
    class Faulty(LinearPaths):
        def __init__(self, dim: int) -> None:
            super().__init__(dim, 2)
            self.missing.start()

    with pytest.raises(AttributeError, match="missing"):
        Faulty(3)
