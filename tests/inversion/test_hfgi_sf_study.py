"""The study's functions on a tiny generator: what it compares, and what it writes."""

from __future__ import annotations

import importlib.util
import io

import pytest
import torch
from torch import nn

from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.installation import CONF
from latent_lab.inversion.fusion.hfgi_sf import HFGISF
from latent_lab.inversion.fusion.hierarchy import Hierarchy
from latent_lab.inversion.fusion.net import FusionNet
from latent_lab.paths.linear import LinearPaths

FILE = CONF.parent / "experiments" / "inversion" / "hfgi_sf.py"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the experiments are not in an installed package")
ROW = 3


class PastedShift:
    """A correction that takes the distortion as it is, not aligned, into one layer."""

    def conditions(self, space, codes, target, edited=None):
        lost = nn.functional.avg_pool2d(target - space.decode(codes), 2).mean(1, keepdim=True).expand(-1, 8, -1, -1)
        return {f"scale.{ROW}": torch.zeros_like(lost), f"shift.{ROW}": lost}


class Person(nn.Module):
    """The left half of the original, the lower half of every other image."""

    def __init__(self, original) -> None:
        super().__init__()
        self.original = original

    def forward(self, images):
        side = images.shape[-1]
        mask = torch.zeros_like(images[:, :1])
        if torch.equal(images, self.original):
            mask[..., : side // 2] = 1
        else:
            mask[:, :, side // 2 :] = 1
        return mask


def test_the_studys_table_and_figure(monkeypatch):
    monkeypatch.syspath_prepend(str(FILE.parent))  # as python does for a script
    spec = importlib.util.spec_from_file_location("hfgi_sf_study", FILE)
    study = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    torch.manual_seed(0)
    space = StyleGAN2(16, 16, widths=[16, 16, 8, 4]).space("w+")
    hierarchy = Hierarchy({"all": {"person": None, "background": None}})
    hierarchy.networks["all"] = FusionNet(16, 24).eval().requires_grad_(False)
    target = torch.rand(3, 3, 32, 32) * 2 - 1
    methods = tuple(HFGISF(PastedShift(), hierarchy, Person(target), masked=masked) for masked in (True, False))
    codes = space.sample(3, torch.Generator().manual_seed(1))
    paths = LinearPaths.along(torch.nn.functional.normalize(torch.randn(1, 16), dim=1))
    edited = study.turned(paths, codes, 2.0)
    assert torch.allclose(study.turned(paths, edited, -2.0).latents, codes.latents, atol=1e-5)

    def yaw(images):
        return 10 * images.flatten(1).mean(1)

    scores, images = study.compare(space, methods, codes, target, edited, nn.Flatten(), yaw)
    assert tuple(scores) == study.METHODS and all(set(row) == set(study.COLUMNS) for row in scores.values())
    assert (scores["no correction"]["ghosting"] == 0).all()
    ghosts = {name: row["ghosting"] for name, row in scores.items()}
    # the uncovered quarter is outside the edited person, where masked conditions are 0 but for the reach of later
    # layers
    assert ghosts["HFGI-SF"].abs().mean() < 0.5 * ghosts["HFGI-SF, unmasked"].abs().mean()
    torch.testing.assert_close(scores["HFGI"]["reached"], (yaw(images["HFGI"]) - yaw(target)).abs())
    text = study.table({30.0: scores})
    assert (
        len(text.strip().splitlines()) == 2 + len(study.METHODS)
        and "| 30 | HFGI-SF, unmasked | " in text
        and "nan" not in text
    )
    picture = io.BytesIO()
    study.figure(images, 2).savefig(picture)
    assert picture.tell() > 1000
    assert set(study.reached(space, paths, codes, yaw)) == set(study.AMOUNTS)
