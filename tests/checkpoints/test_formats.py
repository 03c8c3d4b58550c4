"""Tiny generators in every published layout come back as they were, whatever the file is called."""

from __future__ import annotations

import pickle
import sys

import pytest
import torch

from latent_lab import load_generator
from latent_lab.gans import stylegan2_layouts
from latent_lab.gans.biggan import BigGAN
from latent_lab.gans.biggan_deep import BigGANDeep
from latent_lab.gans.proggan import ProgGAN
from latent_lab.gans.sngan import SNGAN
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.gans.stylegan3 import StyleGAN3
from tests.checkpoints import layouts, writers

SMALL = dict(latent_dim=12, style_dim=8, widths=[10, 8, 6], mapping_layers=2)
CASES = {
    "sngan": (lambda: SNGAN(12, [8, 8, 6], 3), layouts.sngan),
    "proggan_ptrblck": (lambda: ProgGAN(12, [10, 8, 6, 4]), layouts.proggan_ptrblck),
    "proggan_genforce": (lambda: ProgGAN(12, [10, 8, 6, 4]), layouts.proggan_genforce),
    "proggan_zoo": (lambda: ProgGAN(12, [10, 8, 6, 4]), layouts.proggan_zoo),
    "biggan_ajbrock": (lambda: BigGAN(12, 5, 6, [16, 16, 8], attention=0), layouts.biggan_ajbrock),
    "biggan_deep": (lambda: BigGANDeep(6, 5, 6, 4, [(False, 4, 4), (True, 4, 2)], 1, rows=51), layouts.biggan_deep),
    "stylegan2_rosinality": (lambda: StyleGAN2(**SMALL), stylegan2_layouts.rosinality),
    "stylegan2_genforce": (lambda: StyleGAN2(**SMALL), layouts.stylegan2_genforce),
}


def same_images(file, model) -> None:
    found = load_generator(file)
    assert type(found) is type(model) and found.config.keys() == model.config.keys()
    codes = model.space().sample(3, torch.Generator().manual_seed(2))
    with torch.no_grad():
        reference = model.decode(model.spaces[0], codes)
        error = (found.decode(found.spaces[0], codes) - reference).abs().max()
    assert reference.std() > 1e-3 and error <= 1e-5 * max(1, reference.abs().max())


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", CASES)
def test_torch_files(name, legacy, tmp_path):
    make, write = CASES[name]
    model = layouts.random_weights(make())
    (tmp_path / "weights").write_bytes(writers.torch_file(write(model), legacy))
    same_images(tmp_path / "weights", model)


@pytest.mark.parametrize("classes", [0, 4])
@pytest.mark.parametrize("clamp", [None, 0.4])
def test_nvidia_pickles(classes, clamp, tmp_path):
    model = layouts.random_weights(StyleGAN2(**SMALL, classes=classes, clamp=clamp))
    (tmp_path / "weights").write_bytes(writers.nvidia_pickle(model, synthesis_kwargs={"conv_clamp": clamp}))
    same_images(tmp_path / "weights", model)
    assert "torch_utils" not in sys.modules


@pytest.mark.parametrize("kind", [{}, {"conv_kernel": 1, "use_radial_filters": True}], ids=["t", "r"])
def test_stylegan3_pickles(kind, tmp_path):
    ours = {"kernel": kind.get("conv_kernel", 3), "radial": "use_radial_filters" in kind}
    sizes = {"channel_base": 256, "channel_max": 8}
    model = layouts.random_weights(StyleGAN3(10, 8, 0, 32, layers=5, **sizes, **ours))
    options = {
        "z_dim": 10,
        "w_dim": 8,
        "c_dim": 0,
        "img_resolution": 32,
        "img_channels": 3,
        "num_layers": 5,
        **sizes,
        **kind,
    }
    (tmp_path / "weights").write_bytes(writers.nvidia_pickle(model, layouts.stylegan3_names, **options))
    same_images(tmp_path / "weights", model)


@pytest.mark.parametrize("sizes", [{}, {"kernel": 1, "radial": True}], ids=["t", "r"])
def test_a_plain_state_dict_of_stylegan3_describes_itself(sizes, tmp_path):
    model = layouts.random_weights(StyleGAN3(10, 8, 0, 32, layers=5, channel_base=256, channel_max=8, **sizes))
    state = {
        name: value for name, value in layouts.stylegan3_names(model).items() if name != "synthesis.input.transform"
    }
    (tmp_path / "weights").write_bytes(writers.torch_file(state))
    model.input.transform.copy_(torch.eye(3))
    same_images(tmp_path / "weights", model)


def test_a_whole_module_in_a_torch_file(tmp_path):
    """As PTI saves it."""
    model = layouts.random_weights(StyleGAN2(**SMALL))

    def rebuild(meta):
        raise AssertionError("called")

    with writers.modules(torch_utils__persistence=("_reconstruct_persistent_obj", rebuild)):
        (tmp_path / "weights").write_bytes(writers.torch_file(writers.Persistent(stylegan2_layouts.nvlabs(model), {})))
    same_images(tmp_path / "weights", model)


@pytest.mark.parametrize("fused", [True, False])
def test_tensorflow_pickles_of_proggan(fused, tmp_path):
    model = layouts.random_weights(ProgGAN(12, [10, 8, 6, 4]))
    (tmp_path / "weights").write_bytes(writers.tensorflow_proggan(model, fused))
    same_images(tmp_path / "weights", model)


@pytest.mark.parametrize("classes", [0, 4])
def test_tensorflow_pickles(classes, tmp_path):
    model = layouts.random_weights(StyleGAN2(**SMALL, classes=classes))
    (tmp_path / "weights").write_bytes(writers.tensorflow_pickle(model))
    same_images(tmp_path / "weights", model)
    assert "dnnlib" not in sys.modules


def test_another_architecture_is_refused(tmp_path):
    model = layouts.random_weights(StyleGAN2(**SMALL))
    (tmp_path / "weights").write_bytes(writers.nvidia_pickle(model, architecture="resnet"))
    with pytest.raises(ValueError, match="architecture must be 'skip', got 'resnet'"):
        load_generator(tmp_path / "weights")


def test_a_snapshot_with_a_namespace_is_read(tmp_path):
    import argparse

    model = layouts.random_weights(StyleGAN2(**SMALL))
    tree = stylegan2_layouts.rosinality(model) | {
        "args": argparse.Namespace(lr=0.002),
        "g_optim": {"state": {0: {"step": 3}}},
    }
    (tmp_path / "weights").write_bytes(writers.torch_file(tree))
    same_images(tmp_path / "weights", model)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"weight": torch.zeros(3)}, "is of no known format; known are latent_lab's safetensors and biggan_ajbrock,"),
        (
            {"g_ema": {"input.input": 1, "style.1.weight": 1, "to_rgb1.conv.modulation.weight": 1}},
            "the file has no latent_avg",
        ),
        (
            {
                "g_ema": {"input.input": 1, "style.1.weight": 1, "to_rgb1.conv.modulation.weight": 1},
                "latent_avg": torch.zeros(3),
            },
            "looks like stylegan2_rosinality but is damaged",
        ),
    ],
)
def test_what_is_missing_is_said(tree, message, tmp_path):
    (tmp_path / "weights").write_bytes(writers.torch_file(tree))
    with pytest.raises(ValueError, match=message):
        load_generator(tmp_path / "weights")


def test_a_truncated_file_is_refused(tmp_path):
    model = layouts.random_weights(StyleGAN2(**SMALL))
    for content in (writers.torch_file(stylegan2_layouts.rosinality(model), legacy) for legacy in (False, True)):
        for share in (0.3, 0.9, 0.999):
            (tmp_path / "weights").write_bytes(content[: int(share * len(content))])
            with pytest.raises(ValueError, match="is no checkpoint that can be read"):
                load_generator(tmp_path / "weights")


def test_old_and_new_protocols_of_arrays(tmp_path):
    from latent_lab.checkpoints.container import open_tree

    for protocol in (2, 3, 4, 5):
        tree = {"a": torch.arange(6.0).numpy().reshape(2, 3), "b": torch.tensor(3.5).numpy()[()]}
        (tmp_path / "file").write_bytes(pickle.dumps(tree, protocol=protocol))
        found = open_tree(tmp_path / "file")
        assert found["a"].tolist() == tree["a"].tolist() and found["b"] == 3.5


@pytest.mark.parametrize(
    "options", [{"num_layers": 10**9}, {"filter_size": 10**9}, {"channel_max": 10**7, "channel_base": 10**12}]
)
def test_arguments_larger_than_the_file_allocate_nothing(options, tmp_path):
    model = layouts.random_weights(StyleGAN3(10, 8, 0, 32, layers=5, channel_base=256, channel_max=8))
    given = {
        "z_dim": 10,
        "w_dim": 8,
        "img_resolution": 32,
        "num_layers": 5,
        "channel_base": 256,
        "channel_max": 8,
    } | options
    (tmp_path / "weights").write_bytes(writers.nvidia_pickle(model, layouts.stylegan3_names, **given))
    with pytest.raises(
        ValueError, match="do not agree with its 6 layers|does not fit StyleGAN3|it would have more than"
    ):
        load_generator(tmp_path / "weights")
