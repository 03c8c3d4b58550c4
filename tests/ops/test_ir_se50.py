"""The IR-SE50 trunk: published names, taps, and what the original encoder made of an image."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from latent_lab.ops.ir_se50 import IRSE

GOLDEN = os.environ.get("LATENT_LAB_GOLDEN")
TAPS = (6, 20, 23)


def test_it_has_the_published_size():
    with torch.device("meta"):
        trunk = IRSE()
    # with the head 43.8 million, as published
    assert len(trunk.body) == 24 and sum(value.numel() for value in trunk.parameters()) == 30_950_080
    assert trunk.body[3].shortcut_layer[0].weight.shape == (128, 64, 1, 1)
    assert trunk.body[23].res_layer[5].fc1.weight.shape == (32, 512, 1, 1)


def test_taps_are_the_outputs_of_units():
    trunk = IRSE((4, 8, 12, 16), reduction=2).eval()
    images = torch.randn(2, 3, 64, 64)
    features = trunk.features(images, TAPS)
    assert [tuple(x.shape[1:]) for x in features] == [(8, 16, 16), (12, 8, 8), (16, 4, 4)]
    torch.testing.assert_close(features[-1], trunk(images))
    torch.testing.assert_close(trunk.body[7:21](features[0]), features[1])


@pytest.mark.skipif(not GOLDEN, reason="LATENT_LAB_GOLDEN names no folder of golden files")
@pytest.mark.parametrize("encoder", ["psp", "e4e"])
def test_published_encoders_read_an_image_through_it(encoder):
    """The rest of the encoder is written here from its published description: a pyramid, and a small network a
    style."""
    folder = Path(GOLDEN) / encoder
    checkpoint = torch.load(folder / "ckpt_encoder_thin.pt", weights_only=True)
    state = {name.removeprefix("encoder."): value for name, value in checkpoint["state_dict"].items()}
    trunk = IRSE((4, 8, 16, 32), reduction=2)
    trunk.load_state_dict({name: state[name] for name in trunk.state_dict()})
    trunk.eval()

    def lateral(name: str, small: torch.Tensor, large: torch.Tensor) -> torch.Tensor:
        up = F.interpolate(small, large.shape[2:], mode="bilinear", align_corners=True)
        return up + F.conv2d(large, state[f"{name}.weight"], state[f"{name}.bias"])

    def style(i: int, x: torch.Tensor) -> torch.Tensor:
        for layer in range(int(math.log2(x.shape[-1]))):
            name = f"styles.{i}.convs.{2 * layer}"
            x = F.leaky_relu(F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride=2, padding=1), 0.01)
        weight = state[f"styles.{i}.linear.weight"]
        return F.linear(x.flatten(1), weight / math.sqrt(weight.shape[1]), state[f"styles.{i}.linear.bias"])

    with torch.no_grad():
        fine, middle, coarse = trunk.features(torch.from_numpy(np.load(folder / "x.npy")), TAPS)
        middle = lateral("latlayer1", coarse, middle)
        fine = lateral("latlayer2", middle, fine)
        styles = [style(i, coarse if i < 3 else middle if i < 7 else fine) for i in range(14)]
    codes = (
        torch.stack(styles, 1)
        if encoder == "psp"
        else torch.stack([styles[0], *[styles[0] + delta for delta in styles[1:]]], 1)
    )
    reference = torch.from_numpy(np.load(folder / "codes.npy"))
    assert (codes - reference).abs().max() <= 1e-4 * max(1, reference.abs().max())
