"""Official formats against the images that the original code made of them; needs the folder that LATENT_LAB_GOLDEN
names."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from latent_lab import load_generator
from latent_lab.gans.codes import Codes

FOLDER = Path(os.environ.get("LATENT_LAB_GOLDEN", ""))
pytestmark = pytest.mark.skipif(
    not os.environ.get("LATENT_LAB_GOLDEN"), reason="LATENT_LAB_GOLDEN names no folder of golden files"
)


def array(name: str) -> torch.Tensor:
    return torch.from_numpy(np.load(FOLDER / name))


def close(found: torch.Tensor, reference: torch.Tensor) -> None:
    assert found.shape == reference.shape
    assert (found - reference).abs().max() <= 1e-4 * max(1, reference.abs().max())


def agree(found: torch.Tensor, name: str, crop=()) -> None:
    close(found[crop] if crop else found, array(name))


def images(generator, space: str, latents: torch.Tensor, **given: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return generator.decode(space, Codes(latents, given))


@pytest.mark.parametrize("name", ["mnist", "anime"])
def test_sngan(name):
    generator = load_generator(FOLDER / f"sngan/{name}/generator.pt")
    agree(images(generator, "z", array(f"sngan/{name}/z.npy")), f"sngan/{name}/img.npy")


@pytest.mark.parametrize(
    ("folder", "image", "crop"),
    [
        ("proggan", "img_center256", (slice(None), slice(None), slice(384, 640), slice(384, 640))),
        ("genforce_pggan", "img_generator_smooth", ()),
        ("ganzoo_pgan", "img_avgG", ()),
    ],
)
def test_proggan(folder, image, crop):
    generator = load_generator(FOLDER / folder / "checkpoint.pth")
    agree(images(generator, "z", array(f"{folder}/z.npy").flatten(1)), f"{folder}/{image}.npy", crop)


def test_features_of_proggan():
    generator = load_generator(FOLDER / "proggan/checkpoint.pth")
    codes, reference = Codes(array("proggan/z.npy").flatten(1)), np.load(FOLDER / "proggan/features_topleft64.npz")
    found = generator.space().activations(codes, ["dense", *[f"convs.{i}" for i in range(17)]])
    for i, features in enumerate(found.values()):
        features = torch.nn.functional.leaky_relu(features if i else features.unflatten(1, (-1, 4, 4)), 0.2)[
            :, :, :64, :64
        ]
        close(features[: len(reference[f"features.{i}"])], torch.from_numpy(reference[f"features.{i}"]))


BLOCKS = [
    *[
        (f"stylegan2_{name}", lambda i: f"blocks.{i}.conv1")
        for name in ("ada_nvlabs/uncond", "ada_nvlabs/cond", "in_stylegan3_nvlabs/uncond")
    ],
    *[(f"stylegan3_{name}_nvlabs/uncond", lambda i: f"layers.{i - 1}" if i else "input") for name in "tr"],
]


@pytest.mark.parametrize(("folder", "module"), BLOCKS, ids=[folder for folder, _ in BLOCKS])
def test_features_of_stylegan(folder, module):
    generator, reference = (
        load_generator(FOLDER / folder / "network.pkl"),
        np.load(FOLDER / folder / "block_outputs_first_sample_ch0-3.npz"),
    )
    given = {"label": array(f"{folder}/c.npy")} if folder.endswith("/cond") else {}
    found = generator.space("z").activations(
        Codes(array(f"{folder}/z.npy"), given), [module(i) for i in range(len(reference.files))]
    )
    for i, name in enumerate(reference.files):
        close(found[module(i)][:1, :4], torch.from_numpy(reference[name]))


def test_biggan():
    generator = load_generator(FOLDER / "biggan_ajbrock/G_ema.pth")
    agree(
        images(generator, "z", array("biggan_ajbrock/z.npy"), label=array("biggan_ajbrock/y.npy").long()),
        "biggan_ajbrock/img.npy",
    )


@pytest.mark.parametrize("truncation", ["0.4", "0.43", "0.5", "1.0"])
def test_biggan_deep(truncation):
    if not (FOLDER / f"biggan_hf/img_trunc{truncation}.npy").exists():
        pytest.skip("kept back")
    generator, z = load_generator(FOLDER / "biggan_hf/pytorch_model.bin"), array("biggan_hf/z.npy")
    level = torch.full((len(z),), float(truncation), dtype=torch.float64)
    found = images(generator, "z", z, label=array("biggan_hf/class_vector.npy").float(), truncation=level)
    agree(found, f"biggan_hf/img_trunc{truncation}.npy")


@pytest.mark.parametrize(
    "folder",
    [
        "stylegan2_ada_nvlabs/uncond",
        "stylegan2_ada_nvlabs/cond",
        "stylegan2_in_stylegan3_nvlabs/uncond",
        "stylegan2_tf_nvlabs",
    ],
)
def test_stylegan2_of_nvidia(folder):
    generator, z = load_generator(FOLDER / folder / "network.pkl"), array(f"{folder}/z.npy")
    given = {"label": array(f"{folder}/c.npy")} if folder.endswith("/cond") else {}
    several = {
        name: torch.full((len(z),), value) for name, value in (("half", 0.5), ("most", 0.7), ("four", 4), ("none", 0.0))
    }
    with torch.no_grad():
        agree(generator.map(z, given), f"{folder}/ws_psi1.npy")
    agree(images(generator, "z", z, **given), f"{folder}/img_psi1_const.npy")
    if folder == "stylegan2_tf_nvlabs":
        agree(images(generator, "z", z, truncation=several["half"]), f"{folder}/img_psi0.5_const.npy")
        return
    agree(images(generator, "z", z, **given, truncation=several["most"]), f"{folder}/img_psi0.7_const.npy")
    cut = {"truncation": several["half"], "truncation_layers": several["four"]}
    agree(images(generator, "z", z, **given, **cut), f"{folder}/img_psi0.5_cutoff4_const.npy")
    agree(images(generator, "z", z, **given, noise=several["none"]), f"{folder}/img_psi1_noise_none.npy")
    agree(images(generator, "w+", array(f"{folder}/wplus_in.npy")), f"{folder}/wplus_img_const.npy")


@pytest.mark.parametrize("file", ["checkpoint.pt", "checkpoint_legacy_format.pt"])
def test_stylegan2_of_rosinality(file):
    generator, z = load_generator(FOLDER / "rosinality" / file), array("rosinality/z.npy")
    agree(images(generator, "z", z), "rosinality/img_trunc1_fixednoise.npy")
    agree(images(generator, "z", z, noise=torch.zeros(len(z))), "rosinality/img_trunc1_zeronoise.npy")
    agree(images(generator, "w+", array("rosinality/wplus_in.npy")), "rosinality/wplus_img_fixednoise.npy")


def test_stylegan2_of_genforce():
    generator, z = load_generator(FOLDER / "genforce_stylegan2/checkpoint.pth"), array("genforce_stylegan2/z.npy")
    agree(images(generator, "z", z), "genforce_stylegan2/img_generator_smooth.npy")
    agree(images(generator, "z", z, truncation=torch.full((len(z),), 0.7)), "genforce_stylegan2/img_psi0.7_all.npy")


@pytest.mark.parametrize("folder", ["stylegan3_t_nvlabs/uncond", "stylegan3_r_nvlabs/uncond"])
def test_stylegan3(folder):
    generator, z = load_generator(FOLDER / folder / "network.pkl"), array(f"{folder}/z.npy")
    cut = {"truncation": torch.full((len(z),), 0.5), "truncation_layers": torch.full((len(z),), 4)}
    with torch.no_grad():
        agree(generator.map(z, {}), f"{folder}/ws_psi1.npy")
    agree(images(generator, "z", z), f"{folder}/img_psi1_const.npy")
    agree(images(generator, "z", z, truncation=torch.full((len(z),), 0.7)), f"{folder}/img_psi0.7_const.npy")
    agree(images(generator, "z", z, **cut), f"{folder}/img_psi0.5_cutoff4_const.npy")
    agree(images(generator, "w+", array(f"{folder}/wplus_in.npy")), f"{folder}/wplus_img_const.npy")
    plane = array(f"{folder}/input_transform.npy").float().expand(len(z), 3, 3)
    agree(images(generator, "z", z, transform=plane), f"{folder}/img_psi1_transformed.npy")
