"""What a layer range means, on any base paths."""

from __future__ import annotations

import pytest
import torch

from latent_lab.checkpoints import native
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.paths.curvilinear import CurvilinearPaths
from latent_lab.paths.layerwise import LayerwisePaths, layer_rows, restrict_to_rows
from latent_lab.paths.linear import LinearPaths
from latent_lab.paths.rbf import RBFPaths
from latent_lab.runs import build_paths

D, K, L, N = 6, 4, 5, 8
BASES = {
    "linear": lambda rng: LinearPaths(D, K, "free", rng=rng),
    "rbf": lambda rng: RBFPaths(D, K, num_dipoles=8, rng=rng),
    "curvilinear": lambda rng: CurvilinearPaths(D, K, "coupling", width=16, rng=rng),
}


@pytest.fixture(params=BASES)
def base(request):
    rng = torch.Generator().manual_seed(1)
    paths = BASES[request.param](rng).double()
    with torch.no_grad():
        for parameter in paths.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=rng, dtype=torch.float64)
    return paths


@pytest.fixture
def edits(rng):
    return (
        torch.randn(N, L, D, generator=rng, dtype=torch.float64),
        torch.arange(N) % K,
        torch.linspace(-1.3, 1.4, N).double(),
    )


def test_only_the_selected_rows_move_as_their_own_latents(base, edits):
    w, k, eps = edits
    moved = LayerwisePaths(base, [0, 3]).shift(w, k, eps)
    for row in range(L):
        expected = base.shift(w[:, row], k, eps) if row in (0, 3) else w[:, row]
        torch.testing.assert_close(moved[:, row], expected, rtol=1e-9, atol=1e-9)


def test_equal_rows_that_are_all_selected_are_the_edit_of_w(base, edits):
    w, k, eps = edits
    moved = LayerwisePaths(base, range(L)).shift(w[:, :1].expand(-1, L, -1), k, eps)
    torch.testing.assert_close(moved, base.shift(w[:, 0], k, eps)[:, None].expand(-1, L, -1), rtol=1e-9, atol=1e-9)


def test_it_commutes_where_the_base_does(base, edits):
    w, k, eps = edits
    paths, l = LayerwisePaths(base, [1, 2]), (k + 1) % K
    error = (paths.shift(paths.shift(w, k, eps), l, eps) - paths.shift(paths.shift(w, l, eps), k, eps)).abs().max()
    assert error > 1e-3 if isinstance(base, RBFPaths) else error < 1e-8


def test_zero_move_fan_and_gradients(base, edits):
    w, k, eps = edits
    paths = LayerwisePaths(base, [0, 4])
    assert torch.equal(paths.shift(w, k, 0 * eps), w)
    moved, penalties = paths.move(w.requires_grad_(), k, eps)
    torch.testing.assert_close(moved, paths.shift(w, k, eps), rtol=0, atol=1e-10)
    assert all(value.isfinite() for value in penalties.values())
    assert paths.fan(w, 0.5).shape == (N, K, L, D)
    moved.square().sum().backward()
    assert w.grad.isfinite().all() and all(parameter.grad is not None for parameter in paths.parameters())


def test_config_and_tensors_rebuild_the_paths(base, edits, tmp_path):
    paths, file = LayerwisePaths(base, [0, 3]).float(), tmp_path / "paths.safetensors"
    file.write_bytes(native.to_bytes(paths.state_dict(), paths.description()))
    tensors, metadata = native.read(file)
    again = build_paths(metadata)
    native.load_into(again, tensors, file)
    w, k, eps = (part.float() if part.is_floating_point() else part for part in edits)
    assert torch.equal(again.shift(w, k, eps), paths.shift(w, k, eps))


def test_a_description_cannot_name_other_classes(base):
    description = LayerwisePaths(base, [0]).description()
    description["config"]["base"]["class"] = "os.system"
    with pytest.raises(ValueError, match="'os.system' is not a Paths of latent_lab.paths"):
        build_paths(description)


@pytest.fixture
def generator():
    return StyleGAN2(latent_dim=8, style_dim=8, widths=[8, 8], mapping_layers=1)


@pytest.mark.parametrize(
    "layers, rows",
    [(None, [0, 1, 2, 3]), (2, [2]), ("1-3", [1, 2, 3]), ("0, 2-3", [0, 2, 3]), ([3, "0-1"], [0, 1, 3]), ([1, 1], [1])],
)
def test_a_range_names_rows(generator, layers, rows):
    space = generator.space("w+")
    assert layer_rows(space, layers) == rows
    assert isinstance(restrict_to_rows(LinearPaths(8, 2), rows), LayerwisePaths)


@pytest.mark.parametrize("layers", [4, "2-4", "3-1", "a", [], "", "-1", [0, 7]])
def test_a_range_outside_the_network_is_said(generator, layers):
    with pytest.raises(
        ValueError, match="method.layers must be numbers and ranges such as 4-7 from 0 to 3 of this generator, got"
    ):
        layer_rows(generator.space("w+"), layers)


def test_vectors_have_no_layers(generator):
    paths = LinearPaths(8, 2)
    assert layer_rows(generator.space("w"), None) is None and restrict_to_rows(paths, None) is paths
    with pytest.raises(ValueError, match=r"method.layers needs gan.space=w\+, .* got '0-1' in space w"):
        layer_rows(generator.space("w"), "0-1")
