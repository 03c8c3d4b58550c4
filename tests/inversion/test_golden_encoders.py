"""What the published encoders made of images: pSp, e4e, and HFGI's networks with the generator of its file."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from latent_lab.gans.codes import Codes
from latent_lab.inversion.encoders.encoder import EncoderInverter
from latent_lab.inversion.encoders.style_encoder import resize
from latent_lab.inversion.hfgi.hfgi import HFGI
from latent_lab.loading import read_generator

GOLDEN = os.environ.get("LATENT_LAB_GOLDEN")
pytestmark = pytest.mark.skipif(not GOLDEN, reason="LATENT_LAB_GOLDEN names no folder of golden files")


def numbers(name: str) -> torch.Tensor:
    return torch.from_numpy(np.load(Path(GOLDEN) / f"{name}.npy"))


def assert_golden(found: torch.Tensor, name: str) -> None:
    reference = numbers(name)
    assert (found - reference).abs().max() <= 1e-5 * max(1, reference.abs().max())


@pytest.mark.parametrize(("encoder", "editable"), [("psp", False), ("e4e", True)])
def test_encoders(encoder, editable):
    inverter = EncoderInverter(str(Path(GOLDEN) / encoder / "ckpt_encoder_thin.pt"), editable)
    with torch.no_grad():
        assert_golden(inverter.encoder.network(numbers(f"{encoder}/x")), f"{encoder}/codes")
    assert inverter.encoder.mean.shape == (14, 32)


def test_hfgi():
    file = str(Path(GOLDEN) / "hfgi" / "ckpt_no_encoder.pt")
    inverter, space = HFGI(file), read_generator(file).space("w+")
    codes = Codes(numbers("hfgi/wplus"))
    images = space.decode(codes)
    assert_golden(images, "hfgi/img_no_condition")
    distortion, seen = numbers("hfgi/residual_in"), resize(images.clamp(-1, 1), 256)
    with torch.no_grad():
        assert_golden(inverter.alignment(distortion, seen), "hfgi/ada_out")
    conditions = inverter.conditions(space, codes, seen + distortion)
    assert_golden(conditions["scale.7"], "hfgi/cond_scale")
    assert_golden(conditions["shift.7"], "hfgi/cond_shift")
    with pytest.raises(ValueError, match="holds none"):
        inverter.invert(space, images, [])
