"""Paths whose directions belong to the image that is edited."""

from __future__ import annotations

import pytest
import torch

from latent_lab.checkpoints import native
from latent_lab.gans.codes import Codes
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.methods.base import Context
from latent_lab.methods.local_basis import LocalBasis
from latent_lab.methods.resefa import ReSeFa
from latent_lab.paths.local import LocalBasisPaths
from latent_lab.runs import build_paths

N, K = 3, 4


@pytest.fixture(params=["w", "w+"])
def styles(request):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return StyleGAN2(latent_dim=5, style_dim=8, widths=[8, 8], mapping_layers=2, classes=3).space(
            request.param, truncation=0.7
        )


@pytest.fixture
def context(rng) -> Context:
    return Context(trainer=None, seed=0, rng=rng)


def test_the_local_basis_is_the_mappings(styles, context, rng):
    paths = LocalBasis(K).fit(styles, context)
    codes = paths.anchor(styles, styles.sample(N, rng))
    directions = codes.given["directions"]
    for n in range(N):
        z, label = codes.given["z"][n], codes.given["label"][n : n + 1]
        jacobian = torch.autograd.functional.jacobian(
            lambda z, label=label: styles.generator.mapping(z[None], label)[0], z
        )
        expected = torch.linalg.svd(jacobian).U[:, :K].mT
        torch.testing.assert_close((directions[n] * expected).sum(1).abs(), torch.ones(K), rtol=0, atol=1e-4)
    k, eps = torch.tensor([0, 1, 3]), torch.tensor([0.5, -1.0, 2.0])
    step = paths.shift(codes.latents, k, eps, codes.given) - codes.latents
    expected = eps[:, None] * directions[torch.arange(N), k]
    torch.testing.assert_close(step, expected if styles.name == "w" else expected[:, None].expand(-1, 4, -1))


def test_directions_go_where_the_codes_go(styles, context, rng):
    paths = LocalBasis(K).fit(styles, context)
    codes = paths.anchor(styles, styles.sample(N, rng)).repeat(2).select(slice(2, 4))
    k, eps = torch.tensor([1, 1]), torch.ones(2)
    there = paths.shift(codes.latents, k, eps, codes.given)
    torch.testing.assert_close(paths.shift(there, k, -eps, codes.given), codes.latents)
    alone = paths.anchor(styles, styles.sample(N, rng.manual_seed(0)).select(slice(1, 2)))
    torch.testing.assert_close(there[:1], paths.shift(alone.latents, k[:1], eps[:1], alone.given))
    assert paths.fan(codes.latents, 0.5, codes.given).shape == (2, K, *styles.shape)


def test_resefa_of_single_images_is_saved_with_its_region(space, context, rng, tmp_path):
    options = dict(num_paths=K, region=[0.0, 0.0, 0.5, 1.0], samples=1, held_out=2, chunk=16)
    paths = ReSeFa(0.5, per_image=True, **options).fit(space, context)
    codes = space.sample(1, rng)
    file = tmp_path / "paths.safetensors"
    file.write_bytes(native.to_bytes(paths.state_dict(), paths.description()))
    tensors, metadata = native.read(file)
    again = build_paths(metadata)
    native.load_into(again, tensors, file)
    found = again.anchor(space, codes).given["directions"]
    assert torch.equal(found, paths.anchor(space, codes).given["directions"])
    torch.testing.assert_close(found[0].norm(dim=1), torch.ones(K))


def test_what_local_paths_cannot_do_is_said(styles, space, context, rng):
    paths, codes = LocalBasis(K).fit(styles, context), styles.sample(1, rng)
    with pytest.raises(
        ValueError, match=r"given must hold the directions of local paths: take codes = paths.anchor\(space, codes\)"
    ):
        paths.shift(codes.latents, torch.zeros(1, dtype=torch.long), torch.ones(1))
    with pytest.raises(ValueError, match="codes must come from samples for method=local_basis"):
        paths.anchor(styles, Codes(codes.latents))
    with pytest.raises(
        ValueError,
        match=r"method=local_basis needs a generator with a mapping and gan.space=w or w\+, got a SNGAN in space z",
    ):
        LocalBasis(K).fit(space, context)
    with pytest.raises(ValueError, match="num_paths must be at most the latent's size 8, got 9"):
        LocalBasisPaths(8, 9)
    with pytest.raises(ValueError, match="method.per_image needs a region that is a box or a mask's file"):
        ReSeFa(0.5, True, num_paths=2, region=torch.nn.Identity(), samples=1)
