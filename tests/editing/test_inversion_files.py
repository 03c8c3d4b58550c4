"""The files of an inversion are data that anybody may have written: what is wrong is one line with the file's name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from latent_lab.checkpoints import native
from latent_lab.editing.inversions import Inversions
from latent_lab.editing.inverted_files import require_generator
from latent_lab.gans.biggan import BigGAN
from latent_lab.gans.codes import Codes
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.inversion.base import Inverted
from latent_lab.loading import build_generator
from latent_lab.runs import Run, hash_weights

GENERATOR = {"latent_dim": 8, "style_dim": 8, "widths": [8, 8, 4], "mapping_layers": 2, "image_channels": 1}
GAN = {"name": "stylegan2", "weights": "random", "source": {}, "space": "w", "truncation": 1.0}
CONFIG = """
seed: 0
inverter: {_target_: latent_lab.inversion.optimisation.i2s.Image2StyleGAN}
gan:
  name: stylegan2
  weights: random
  source: {file: stylegan2.safetensors, url: null, hint: none}
  space: w
  truncation: 1.0
  generator:
    _target_: latent_lab.gans.stylegan2.StyleGAN2
    latent_dim: 8
    style_dim: 8
    widths: [8, 8, 4]
    mapping_layers: 2
    image_channels: 1
"""


@pytest.fixture(scope="module")
def generator() -> StyleGAN2:
    return build_generator(GAN | {"generator": GENERATOR}, StyleGAN2)


@pytest.fixture
def inversions(tmp_path, generator) -> Inversions:
    """Two pictures, a and b, with all that a file can hold."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    found = Inversions(Run(tmp_path))
    space, rng = generator.space("w"), torch.Generator().manual_seed(0)
    codes = space.sample(2, rng)
    maps = {
        f"noise.{i}": torch.randn(2, 1, *value.shape, generator=rng) for i, value in enumerate(generator.noise_maps())
    }
    conditions = {f"scale.{row}": torch.zeros(2, *shape) for row, shape in generator.feature_maps().items()}
    name, value = next(iter(generator.named_parameters()))
    inverted = Inverted(
        Codes(codes.latents, codes.given | maps | conditions),
        {name: torch.zeros(2, *value.shape)},
        {"loss": torch.zeros(3, 2)},
    )
    about = {
        "space": "w",
        "generator": hash_weights(generator),
        "picture": "a.png",
        "scores": {"psnr": 20.0, "steps": 3},
    }
    for i, picture in enumerate("ab"):
        found.write(picture, inverted, i, torch.zeros(1, 16, 16, dtype=torch.uint8), about)
    return found


def everything(inversions: Inversions) -> Tensor:
    """What the commands do with a folder."""
    inversions.write_scores({})
    space = inversions.space()
    own = inversions.tuned_space(space, "a")
    return own.decode(inversions.codes("a")) - inversions.target("a")


def test_a_whole_folder_is_read(inversions):
    assert everything(inversions).shape == (1, 1, 16, 16) and inversions.codes(["a", "b"]).latents.shape == (2, 8)
    (inversions.run.folder / "images" / "._a.safetensors").write_bytes(b"of another system")
    assert inversions.list_names() == ["a", "b"]


TENSORS = {
    "no latents": lambda found: found.pop("latents"),
    "latents of another width": lambda found: found.update(latents=torch.zeros(9)),
    "latents of w+": lambda found: found.update(latents=torch.zeros(6, 8)),
    "one number": lambda found: found.update(latents=torch.tensor(1.0)),
    "integers": lambda found: found.update(latents=torch.zeros(8, dtype=torch.int64)),
    "half a precision": lambda found: found.update(latents=torch.zeros(8, dtype=torch.bfloat16)),
    "latents that are no numbers": lambda found: found.update(latents=torch.full((8,), torch.nan)),
    "no picture": lambda found: found.pop("target"),
    "a picture of real numbers": lambda found: found.update(target=torch.zeros(1, 16, 16)),
    "a picture without channels": lambda found: found.update(target=torch.zeros(16, 16, dtype=torch.uint8)),
    "a picture in colour": lambda found: found.update(target=torch.zeros(3, 16, 16, dtype=torch.uint8)),
    "a picture of another size": lambda found: found.update(target=torch.zeros(1, 8, 16, dtype=torch.uint8)),
    "noise of another size": lambda found: found.update({"given.noise.1": torch.zeros(1, 3, 3)}),
    "noise that the generator lacks": lambda found: found.update({"given.noise.99": torch.zeros(1, 4, 4)}),
    "noise that is infinite": lambda found: found["given.noise.1"].fill_(torch.inf),
    "a condition of another size": lambda found: found.update({"given.scale.0": torch.zeros(1)}),
    "conditions that are true": lambda found: found.update({"given.scale.0": torch.zeros(8, 4, 4, dtype=torch.bool)}),
    "something unknown": lambda found: found.update({"given.../x": torch.zeros(1)}),
    "a label without classes": lambda found: found.update({"given.label": torch.tensor(0)}),
    "a parameter that the generator lacks": lambda found: found.update({"tuned.blocks": torch.zeros(1)}),
    "a parameter of another shape": lambda found: found.update({"tuned.constant": torch.zeros(2)}),
    "a parameter that is no number": lambda found: next(v for k, v in found.items() if k.startswith("tuned.")).fill_(
        torch.nan
    ),
    "a part of another kind": lambda found: found.update({"weights": torch.zeros(1)}),
    "nothing": lambda found: found.clear(),
}
ABOUT = {
    "another format": {"format": 2},
    "no format": {"format": None},
    "scores, a list": {"scores": [1.0]},
    "scores, texts": {"scores": {"psnr": "high"}},
    "scores, no numbers": {"scores": {"psnr": float("nan")}},
    "scores, true": {"scores": {"psnr": True}},
    "no scores": {"scores": None},
    "no such space": {"space": "zz"},
    "space, a list": {"space": ["w"]},
    "another space": {"space": "w+"},
    "no generator": {"generator": None},
    "generator, a number": {"generator": 7},
}


def refused(inversions: Inversions) -> str:
    with pytest.raises(ValueError) as error:
        everything(inversions)
    assert "\n" not in str(error.value) and str(inversions.file("a")) in str(error.value)
    return str(error.value)


def changed(file: Path, change: Callable[[dict[str, Tensor]], object], **about) -> None:
    tensors, known = native.read(file)
    change(tensors)
    file.write_bytes(native.to_bytes(tensors, known | about))


@pytest.mark.parametrize("change", TENSORS)
def test_tensors_that_cannot_be_are_refused(change, inversions):
    changed(inversions.file("a"), TENSORS[change])
    refused(inversions)


@pytest.mark.parametrize("change", ABOUT)
def test_metadata_that_cannot_be_are_refused(change, inversions):
    changed(inversions.file("a"), lambda tensors: None, **ABOUT[change])
    refused(inversions)


@pytest.mark.parametrize("content", [b"", b"no tensors", b"\xff" * 7 + b"\x7f{", b"\x02" + b"\0" * 7 + b"{}x"])
def test_damaged_files_are_refused(content, inversions):
    inversions.file("a").write_bytes(content)
    refused(inversions)


def test_metadata_that_is_nested_deep_is_refused(inversions):
    content = inversions.file("a").read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + size].replace(b'"picture":"\\"a.png\\""', b'"picture":"' + b"[" * 100_000 + b'"')
    inversions.file("a").write_bytes(len(header).to_bytes(8, "little") + header + content[8 + size :])
    refused(inversions)


def test_pictures_of_different_shapes_are_not_joined(inversions):
    changed(inversions.file("b"), lambda found: found.update(latents=torch.zeros(9)))
    with pytest.raises(ValueError, match=r"inverted alike, got \['a', 'b'\], whose shapes of latents differ"):
        inversions.codes(["a", "b"])


@pytest.mark.parametrize("about", [{"space": "w+"}, {"generator": "0" * 64}])
def test_pictures_of_a_folder_are_of_one_space_and_generator(about, inversions):
    width = {"space": lambda found: found.update(latents=torch.zeros(6, 8)), "generator": lambda found: None}[
        next(iter(about))
    ]
    changed(inversions.file("b"), width, **about)
    assert everything(inversions).shape == (1, 1, 16, 16)  # a can be used
    with pytest.raises(ValueError, match=r"b\.safetensors must be of the space and generator of a, w, got w") as error:
        inversions.tuned_space(inversions.space(), "b")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["a\n", "-rf", "x" * 120, "a "])
def test_names_are_plain(name, inversions):
    inversions.file("a").rename(inversions.file(name))
    with pytest.raises(ValueError, match=r"each name in .* must be a plain name of a file") as error:
        inversions.list_names()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "label, message",
    [(None, "must hold given.label, which latents of z go with"), (12, "from 0 to 9, got 12"), (1, "")],
)
def test_a_conditional_generator_needs_a_label_that_it_knows(label, message, tmp_path):
    generator = BigGAN(latent_dim=12, classes=10, embedding=4, widths=[8, 8, 8], attention=None).eval()
    tensors = {
        "latents": torch.zeros(12),
        "target": torch.zeros(3, generator.resolution, generator.resolution, dtype=torch.uint8),
    }
    tensors |= {} if label is None else {"given.label": torch.tensor(label)}
    if not message:
        return require_generator(tensors, {"space": "z"}, generator, tmp_path / "a")
    with pytest.raises(ValueError, match=message):
        require_generator(tensors, {"space": "z"}, generator, tmp_path / "a")
