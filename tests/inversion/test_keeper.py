"""Inversions that are stopped in the middle go on to the same bits; what was kept is data that anybody may have
changed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor

from latent_lab.attributes.classifier import ClassifierFeatures
from latent_lab.checkpoints import native
from latent_lab.gans.space import LatentSpace
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.inversion.base import Inverted, Inverter, untracked
from latent_lab.inversion.keeper import Keeper, Steps, sha256
from latent_lab.inversion.optimisation.descent import Descent
from latent_lab.inversion.optimisation.i2s import Image2StyleGAN
from latent_lab.inversion.optimisation.i2spp import Image2StyleGANPlusPlus
from latent_lab.inversion.optimisation.masked import BuildingBlocks
from latent_lab.inversion.optimisation.projector import Projector
from latent_lab.inversion.optimisation.pti import PivotalTuning
from latent_lab.runs import Run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("spoken")]

ALWAYS, NEVER = 1e-9, 1e9  # seconds between writes


def inverters() -> dict[str, Inverter]:
    features = ClassifierFeatures("mnist_classifier")
    projector = Projector(features, steps=5, pixels=1.0, samples=64)
    blocks = BuildingBlocks(features, Descent(5, 0.05, patience=2), Descent(4, 0.1))
    return {
        "i2s": Image2StyleGAN(features, steps=5, lr=0.05, prior=0.1),
        "projector": projector,
        "i2spp": Image2StyleGANPlusPlus(blocks, spread=0.1),
        "pti": PivotalTuning(projector, features, steps=4, lr=1e-3, locality=0.1, threshold=0.0),
        "pti, threshold": PivotalTuning(projector, features, steps=40, lr=1e-2, threshold=0.004),
    }


@pytest.fixture(scope="module")
def space() -> LatentSpace:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = StyleGAN2(latent_dim=16, style_dim=16, widths=[16, 16, 8, 4], image_channels=1).eval()
    for block in generator.blocks:
        block.conv1.noise_strength.data.fill_(0.1)
    return generator.space("w+")


@pytest.fixture(scope="module")
def images(space) -> Tensor:
    with torch.no_grad():
        return space.decode(space.sample(2, torch.Generator().manual_seed(7))).clamp(-1, 1).flip(3)


def stopping_at(loop: int, step: int) -> Callable[[Iterable, str], Iterable]:
    """A progress that Ctrl-C ends before a step of a loop; both count from 0."""
    begun = []

    def track(steps: Iterable, name: str) -> Iterable:
        begun.append(name)
        for number in steps:
            if (len(begun) - 1, number) == (loop, step):
                raise KeyboardInterrupt
            yield number

    return track


def noting(loops: list[Iterable]) -> Callable[[Iterable, str], Iterable]:
    """A progress that keeps the steps of each loop that begins."""
    return lambda steps, name: loops.append(steps) or steps


def invert(
    inverter: Inverter,
    space: LatentSpace,
    images: Tensor,
    folder,
    track=untracked,
    every=ALWAYS,
    owner="it",
    names="ab",
) -> Inverted:
    rngs = [torch.Generator().manual_seed(i) for i in range(len(images))]
    keeper = Keeper(Run(folder), every, {"owner": owner})
    with keeper.batch(list(names), images, track):
        return inverter.invert(space, images, rngs, keeper)


def tensors(found: Inverted) -> dict[str, Tensor]:
    return {
        "latents": found.codes.latents,
        **found.codes.given,
        **found.tuned,
        **{f"curve {k}": v for k, v in found.curves.items()},
    }


def same_bits(one: Inverted, other: Inverted) -> bool:
    first, second = tensors(one), tensors(other)
    return first.keys() == second.keys() and all(
        torch.equal(first[key].nan_to_num(7), second[key].nan_to_num(7)) for key in first
    )


@pytest.mark.parametrize(
    "name, stops",
    [
        ("i2s", [(0, 1), (0, 3)]),
        ("projector", [(0, 1), (0, 4)]),
        ("i2spp", [(0, 2), (1, 0), (1, 2)]),
        ("pti", [(0, 3), (1, 0), (1, 2), (2, 3)]),
        ("pti, threshold", [(1, 1), (2, 1)]),
    ],
)
def test_it_ends_with_the_same_bits_wherever_it_was_stopped(name, stops, space, images, tmp_path):
    inverter = inverters()[name]
    whole = inverter.invert(space, images, [torch.Generator().manual_seed(i) for i in range(2)])
    for loop, step in stops:
        with pytest.raises(KeyboardInterrupt):
            invert(inverter, space, images, tmp_path, stopping_at(loop, step))
        begun: list[Iterable] = []
        found = invert(inverter, space, images, tmp_path, noting(begun))
        assert same_bits(found, whole)
        assert begun[0].start == step if step else not len(begun[0])  # what was done is not done again
        assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("name, place", [("i2s", (0, 2)), ("projector", (0, 3)), ("i2spp", (1, 2)), ("pti", (2, 1))])
def test_half_precision_ends_with_the_same_bits_too(name, place, space, images, tmp_path):
    inverter = inverters()[name]
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        whole = invert(inverter, space, images, tmp_path, every=NEVER)
        with pytest.raises(KeyboardInterrupt):
            invert(inverter, space, images, tmp_path, stopping_at(*place))
        assert same_bits(invert(inverter, space, images, tmp_path), whole)


def test_it_can_be_stopped_again_and_again(space, images, tmp_path):
    inverter = inverters()["pti"]
    whole = inverter.invert(space, images, [torch.Generator().manual_seed(i) for i in range(2)])
    # loops of each attempt are counted from the one that it goes on with
    for place in [(0, 2), (0, 4), (1, 3), (1, 2), (0, 3)]:
        with pytest.raises(KeyboardInterrupt):
            invert(inverter, space, images, tmp_path, stopping_at(*place))
    assert same_bits(invert(inverter, space, images, tmp_path), whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name, loop", [("i2s", 0), ("i2spp", 1), ("pti", 2)])
def test_a_signal_waits_for_the_end_of_the_step_and_keeps_it(number, name, loop, space, images, tmp_path):
    inverter, begun = inverters()[name], []
    usual = signal.signal(number, signal.default_int_handler)
    whole = inverter.invert(space, images, [torch.Generator().manual_seed(i) for i in range(2)])

    def track(steps: Iterable, name: str) -> Iterable:
        begun.append(name)
        for step in steps:
            if (len(begun), step) == (loop + 1, 1):
                os.kill(os.getpid(), number)
            yield step

    try:
        with pytest.raises(KeyboardInterrupt):
            invert(inverter, space, images, tmp_path, track, every=NEVER)
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, usual)
    left: list[range] = []
    found = invert(inverter, space, images, tmp_path, noting(left), every=NEVER)
    assert same_bits(found, whole) and left[0].start == 2


def damaged(file, change: Callable[[dict[str, Tensor], dict], None], marked: bool = True) -> None:
    """Changes a file of a state, as somebody would who knows how it is written."""
    found, about = native.read(file)
    about.pop("sha256")
    change(found, about)
    file.write_bytes(native.to_bytes(found, about | ({"sha256": sha256(found, about)} if marked else {})))


CHANGES = {
    "a tensor more": lambda found, about: found.update({"other:value": torch.zeros(1)}),
    "a tensor less": lambda found, about: found.pop("latents:value"),
    "a wrong shape": lambda found, about: found.update({"latents:value": torch.zeros(2, 3)}),
    "a wrong type": lambda found, about: found.update({"latents:value": found["latents:value"].double()}),
    "moments of a wrong shape": lambda found, about: found.update({"adam:0.exp_avg": torch.zeros(1)}),
    "no moments": lambda found, about: found.pop("adam:0.exp_avg"),
    "steps before the first": lambda found, about: found.update({"adam:0.step": torch.tensor(-4.0)}),
    "a parameter more": lambda found, about: found.update({"adam:99.step": torch.tensor(1.0)}),
    "half a source": lambda found, about: found.update({"rng 0:state": found["rng 0:state"][:7]}),
    "numbers for a source": lambda found, about: found.update({"rng 0:state": torch.zeros(5056)}),
    "a long curve": lambda found, about: found.update({"loss:values": torch.zeros(9, 2)}),
    "no number of steps": lambda found, about: about.update({"done": [1]}),
    "steps beyond the last": lambda found, about: about.update({"done": 77}),
    "true for a number": lambda found, about: about.update({"done": True}),
    "ended, a text": lambda found, about: about.update({"ended": "yes"}),
    "another loop": lambda found, about: about.update({"loop": "tuning"}),
    "another batch": lambda found, about: about.update({"batch": "0" * 64}),
    "nothing": lambda found, about: (found.clear(), about.clear()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_state_that_does_not_fit_is_told_and_not_used(change, space, images, tmp_path, capsys):
    inverter = inverters()["projector"]
    whole = invert(inverter, space, images, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        invert(inverter, space, images, tmp_path, stopping_at(0, 3))
    damaged(tmp_path / "state" / "1.safetensors", CHANGES[change])
    assert same_bits(invert(inverter, space, images, tmp_path), whole)
    assert (said := capsys.readouterr().err).startswith("latent_lab: projection begins again: ") and said.count(
        "\n"
    ) == 1


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\xff" * 8 + b"{", "changed"])
def test_a_damaged_state_is_told_and_not_used(content, space, images, tmp_path, capsys):
    inverter = inverters()["i2s"]
    whole = invert(inverter, space, images, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        invert(inverter, space, images, tmp_path, stopping_at(0, 3))
    file = tmp_path / "state" / "1.safetensors"
    if content == "changed":  # one bit of a number
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
    file.write_bytes(content)
    assert same_bits(invert(inverter, space, images, tmp_path, every=NEVER), whole)
    assert capsys.readouterr().err.count("latent_lab: latents begins again: ") == 1


@pytest.mark.parametrize("other", [{"owner": "other"}, {"names": "ba"}, {"names": "ac"}, {"flipped": True}])
def test_the_state_of_other_pictures_or_configurations_is_not_used(other, space, images, tmp_path, capsys):
    inverter = inverters()["i2s"]
    with pytest.raises(KeyboardInterrupt):
        invert(inverter, space, images, tmp_path, stopping_at(0, 3))
    images = images.flip(2) if other.pop("flipped", False) else images
    left: list[range] = []
    found = invert(inverter, space, images, tmp_path, noting(left), **other)
    assert same_bits(found, invert(inverter, space, images, tmp_path)) and left[0].start == 0
    assert (
        "is of other pictures, another configuration or another generator, and is not used" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "text, names",
    [('{"pictures": {"b": "1", "a": "2"}}', ["b", "a"]), ("[" * 100000, []), ('{"pictures": 3}', []), ("", [])],
)
def test_names_of_the_batch_that_was_in_work(text, names, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "batch.json").write_text(text)
    assert Keeper(Run(tmp_path), 60, {}).pictures() == names


def test_a_full_disk_does_not_end_an_inversion(space, images, tmp_path, capsys, monkeypatch):
    inverter = inverters()["i2s"]
    whole, write = invert(inverter, space, images, tmp_path), Run.write

    def full(self, name: str, content):
        if name.endswith("safetensors"):
            raise OSError(28, "no space left")
        return write(self, name, content)

    monkeypatch.setattr(Run, "write", full)
    assert same_bits(invert(inverter, space, images, tmp_path), whole)
    assert capsys.readouterr().err.count("the state of the inversion is not kept") == 1


def test_a_step_that_keeps_nothing_costs_nothing(tmp_path):
    keeper, num = Keeper(Run(tmp_path), NEVER, {}), 20_000
    with keeper.batch(["a"], torch.zeros(1, 1), untracked):
        start = time.perf_counter()
        for _ in Steps(keeper, num, "empty", {}):
            pass
        assert (time.perf_counter() - start) / num < 20e-6  # a step of the fastest inverter takes 5 ms


@pytest.mark.parametrize("every", [0, -1, float("nan")])
def test_the_time_between_writes_must_be_positive(every, tmp_path):
    with pytest.raises(ValueError, match="keep_every must be a finite number above 0, got"):
        Keeper(Run(tmp_path), every, {})
