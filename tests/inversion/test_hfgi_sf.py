"""HFGI-SF from end to end, with networks that are not trained."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.inversion.fusion.hfgi_sf import HFGISF
from latent_lab.inversion.fusion.hierarchy import Hierarchy, fuse
from latent_lab.inversion.fusion.net import FusionNet

ROW = 3


class TinyCorrection(nn.Module):
    """A convolution from what the inversion lost, beside the edited image, to conditions of one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 16, 3, padding=1)

    def conditions(self, space, codes, target, edited=None):
        seen = torch.cat([target - space.decode(codes), space.decode(codes if edited is None else edited)], 1)
        scale, shift = nn.functional.avg_pool2d(self.conv(seen), 2).chunk(2, 1)
        return {f"scale.{ROW}": scale, f"shift.{ROW}": shift}


class LeftHalf(nn.Module):
    def forward(self, images):
        mask = torch.zeros_like(images[:, :1])
        mask[..., : images.shape[-1] // 2] = 1
        return mask


@pytest.fixture
def parts():
    torch.manual_seed(0)
    space = StyleGAN2(16, 16, widths=[16, 16, 8, 4]).space("w+")
    hierarchy = Hierarchy({"all": {"person": None, "background": None}})
    hierarchy.networks["all"] = FusionNet(width=16, hidden=24).eval().requires_grad_(False)
    codes = space.sample(2, torch.Generator().manual_seed(1))
    edited = codes.moved(codes.latents + torch.randn(codes.latents.shape, generator=torch.Generator().manual_seed(2)))
    target = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(3)) * 2 - 1
    return space, hierarchy, TinyCorrection().requires_grad_(False), codes, edited, target


def feature_shape(space):
    return space.generator.feature_maps()[ROW]


def test_the_composition_is_the_papers(parts):
    space, hierarchy, correction, codes, edited, target = parts
    assert feature_shape(space) == (8, 16, 16)
    found = HFGISF(correction, hierarchy, LeftHalf()).fuse(space, codes, target, edited)
    conditions = correction.conditions(space, codes, target, edited)
    fused = fuse(hierarchy, space, {"all": edited, "background": codes})
    assert torch.equal(found.codes.latents, fused.latents)
    for name, value in conditions.items():
        torch.testing.assert_close(found.corrected.given[name], value)
        given = found.codes.given[name]
        torch.testing.assert_close(given[..., :8], value[..., :8])
        assert (given[..., 8:] == 0).all()
    image = space.generator.decode("s", found.codes)
    assert image.shape == target.shape and image.isfinite().all()
    everywhere = HFGISF(correction, hierarchy, LeftHalf(), masked=False).fuse(space, codes, target, edited)
    assert all(torch.equal(everywhere.codes.given[name], value) for name, value in conditions.items())
    assert (space.generator.decode("s", everywhere.codes) - image).abs().max() > 1e-4


def test_without_an_edit_it_is_hfgi_of_the_person(parts):
    space, hierarchy, correction, codes, _, target = parts
    found = HFGISF(correction, hierarchy, LeftHalf(), masked=False).fuse(space, codes, target, codes)
    torch.testing.assert_close(space.generator.decode("s", found.codes), space.decode(found.corrected))


def test_an_edit_does_not_depend_on_its_batch_and_keeps_noise(parts):
    space, hierarchy, correction, codes, edited, target = parts
    noise = {"noise.1": torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(4))}
    codes, edited = (each.with_given(noise) for each in (codes, edited))
    method = HFGISF(correction, hierarchy, LeftHalf())
    found = method.fuse(space, codes, target, edited)
    assert torch.equal(found.codes.given["noise.1"], noise["noise.1"])
    images = space.generator.decode("s", found.codes)
    for i in range(2):
        part = slice(i, i + 1)
        alone = method.fuse(space, codes.select(part), target[part], edited.select(part))
        torch.testing.assert_close(space.generator.decode("s", alone.codes), images[part], rtol=1e-4, atol=1e-4)


def test_the_background_is_a_part_of_the_hierarchy(parts):
    _, hierarchy, correction, *_ = parts
    with pytest.raises(
        ValueError, match=r"background must be a part of the hierarchy, one of \['person', 'background'\], got 'sky'"
    ):
        HFGISF(correction, hierarchy, LeftHalf(), background="sky")
