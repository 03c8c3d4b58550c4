"""Published directions come in as they are, and go out in the same formats; nothing in a file is executed."""

from __future__ import annotations

import collections

import numpy as np
import pytest
import torch

from latent_lab.checkpoints.directions import directions_bytes, read_directions
from latent_lab.gans.sngan import SNGAN
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.methods.base import Context
from latent_lab.methods.imported import Imported
from latent_lab.paths.layerwise import LayerwisePaths
from latent_lab.paths.linear import LinearPaths
from latent_lab.paths.rowwise import RowwisePaths
from latent_lab.runs import Run

pytestmark = pytest.mark.usefixtures("spoken")

D, L = 6, 4


@pytest.fixture
def style() -> StyleGAN2:
    return StyleGAN2(latent_dim=D, style_dim=D, widths=[8, 8], mapping_layers=1)


@pytest.fixture
def context(rng) -> Context:
    return Context(trainer=None, seed=0, rng=rng)


def steps(paths, space, rng) -> torch.Tensor:
    """What an amount of 2 does to a latent, in units of the amount."""
    latents = torch.randn(paths.num_paths, *space.shape, generator=rng)
    k = torch.arange(paths.num_paths)
    return (paths.shift(latents, k, torch.full((len(k),), 2.0)) - latents) / 2


@pytest.mark.parametrize("shape", [(D,), (1, D), (3, D), (3, 1, D)])
@pytest.mark.parametrize("suffix", [".npy", ".pt"])
def test_arrays_are_steps_of_w(shape, suffix, tmp_path, style, context, rng):
    array = torch.randn(shape, generator=rng)
    file = tmp_path / f"smile{suffix}"
    if suffix == ".npy":
        np.save(file, array.double().numpy())
    else:
        torch.save(array, file)
    paths = Imported(str(file)).fit(style.space("w"), context)
    assert isinstance(paths, LinearPaths) and paths.straight
    torch.testing.assert_close(steps(paths, style.space("w"), rng), array.reshape(-1, D))
    assert context.findings["names"] == (["smile"] if paths.num_paths == 1 else ["smile.0", "smile.1", "smile.2"])
    assert len(context.findings["files"][file.name]) == 64


@pytest.mark.parametrize("suffix", [".npz", ".pt"])
def test_ganspace_components_are_scaled_by_their_deviations(suffix, tmp_path, style, context, rng):
    component, deviation = torch.randn(5, 1, D, generator=rng), torch.rand(5, generator=rng) + 0.1
    file = tmp_path / f"pca{suffix}"
    if suffix == ".npz":  # with all that GANSpace writes beside
        others = {
            name: np.ones((5, 7), np.float32)
            for name in ("act_comp", "act_mean", "act_stdev", "var_ratio", "random_stdevs")
        }
        np.savez_compressed(
            file, lat_comp=component.numpy(), lat_mean=np.zeros((1, D)), lat_stdev=deviation.numpy(), **others
        )
    else:
        torch.save({"mean": torch.zeros(1, D), "comp": component, "std": deviation}, file)
    paths = Imported([str(file)], num_paths=2).fit(style.space("w"), context)
    torch.testing.assert_close(steps(paths, style.space("w"), rng), (component[:, 0] * deviation[:, None])[:2])


def test_rosinalitys_factors_are_columns(tmp_path, style, context, rng):
    vectors = torch.linalg.qr(torch.randn(D, D, generator=rng)).Q
    torch.save({"ckpt": "file.pt", "eigvec": vectors}, tmp_path / "factor.pt")
    paths = Imported(str(tmp_path / "factor.pt")).fit(style.space("w"), context)
    torch.testing.assert_close(steps(paths, style.space("w"), rng), vectors.mT)


def test_in_w_plus_layers_are_chosen_and_a_pose_has_a_row_for_each(tmp_path, style, context, rng, capsys):
    smile, pose = torch.randn(D, generator=rng), torch.randn(L, D, generator=rng)
    np.save(tmp_path / "smile.npy", smile)
    torch.save(pose, tmp_path / "pose.pt")
    space = style.space("w+")
    one = Imported(str(tmp_path / "smile.npy"), layers="1-2").fit(space, context)
    assert isinstance(one, LayerwisePaths) and one.straight
    torch.testing.assert_close(steps(one, space, rng)[0], torch.stack([0 * smile, smile, smile, 0 * smile]))
    both = Imported(str(tmp_path / "*"), layers=[1, 3]).fit(space, context)
    assert isinstance(both, RowwisePaths) and context.findings["names"] == ["pose", "smile"]
    assert "pose.pt: (4, 6) is taken for one direction" in capsys.readouterr().out
    moved, kept = steps(both, space, rng), torch.tensor([0.0, 1.0, 0.0, 1.0])[:, None]
    torch.testing.assert_close(moved[0], pose * kept)
    torch.testing.assert_close(moved[1], smile * kept)
    assert Imported(str(tmp_path / "pose.pt"), per_layer=False).fit(space, context).num_paths == L
    torch.save(smile.repeat(L, 1), tmp_path / "pose.pt")  # the same in all layers: also a direction of w
    torch.testing.assert_close(
        steps(Imported(str(tmp_path / "pose.pt")).fit(style.space("w"), context), style.space("w"), rng)[0], smile
    )


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt"])
@pytest.mark.parametrize("shape", [(3, D), (1, D), (2, L, D)])
def test_what_goes_out_comes_back(suffix, shape, tmp_path, style, context, rng):
    directions, file = torch.randn(shape, generator=rng), tmp_path / f"mine{suffix}"
    file.write_bytes(directions_bytes(directions, torch.zeros(D), suffix))
    space = style.space("w" if len(shape) == 2 else "w+")
    torch.testing.assert_close(
        steps(Imported(str(file)).fit(space, context), space, rng), directions, rtol=1e-5, atol=1e-6
    )


def test_a_run_keeps_rows_and_rebuilds_them(tmp_path, rng):
    paths = RowwisePaths.along(torch.randn(2, L, D, generator=rng))
    Run(tmp_path).save_paths(paths, {"generator": "0", "space": "w+"})
    again, _ = Run(tmp_path).load_paths()
    w, k, eps = torch.randn(3, L, D, generator=rng), torch.tensor([0, 1, 1]), torch.tensor([0.0, 1.0, -2.0])
    moved = again.shift(w, k, eps)
    assert torch.equal(moved, paths.shift(w, k, eps)) and torch.equal(moved[0], w[0])
    torch.testing.assert_close(again.shift(moved, k, -eps), w)
    assert torch.equal(again.shift(w[1:2], k[1:2], eps[1:2]), moved[1:2])


def wrong_objects(file):
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)


def wrong_npz(file):
    with open(file, "wb") as stream:
        np.savez(stream, lat_comp=np.ones((2, D)))


def wrong_npz_objects(file):
    with open(file, "wb") as stream:
        np.savez(stream, lat_comp=np.array([collections.deque()], dtype=object), lat_stdev=np.ones(1))


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        (
            "a.npy",
            lambda file: np.save(file, np.ones(D + 1)),
            r"must have directions of the 6 numbers of a latent in space w, got \(7,\)",
        ),
        (
            "a.npy",
            lambda file: np.save(file, np.ones((2, 3, D))),
            r"must have a row for each of the 4 layers of this generator, got \(2, 3, 6\)",
        ),
        (
            "a.npy",
            lambda file: np.save(file, np.eye(L, D)),
            "has another direction in each layer.*gan.space=w\\+, or method.per_layer=false",
        ),
        ("a.npy", lambda file: np.save(file, np.ones(D, int)), "must hold an array of floating-point numbers"),
        ("a.npy", lambda file: np.save(file, np.full(D, np.nan)), "finite numbers, not all of them 0"),
        ("a.npy", lambda file: np.save(file, np.zeros(D)), "finite numbers, not all of them 0"),
        ("a.npy", wrong_objects, "is no file of arrays that can be read"),
        ("a.npy", lambda file: file.write_bytes(b"\x93NUMPY\x01"), "is no file of arrays that can be read"),
        ("a.npz", wrong_npz, r"must hold an array alone, .*, got the keys \['lat_comp'\]"),
        ("a.npz", wrong_npz_objects, "is no file of arrays that can be read"),
        ("a.pt", lambda file: torch.save({"comp": torch.ones(2, 1, D)}, file), r"got the keys \['comp'\]"),
        (
            "a.pt",
            lambda file: torch.save({"comp": torch.ones(2, 1, D), "std": torch.ones(3)}, file),
            "must have one std for each comp, got 3",
        ),
        (
            "a.pt",
            lambda file: torch.save(collections.deque("a"), file),
            "names collections.deque, which weights do not need",
        ),
        ("a.pt", lambda file: file.write_bytes(b"nothing"), "is no checkpoint that can be read"),
    ],
)
def test_a_wrong_file_is_one_line(name, write, message, tmp_path, style, context):
    write(tmp_path / name)
    with pytest.raises(ValueError, match=message) as error:
        Imported(str(tmp_path / name)).fit(style.space("w"), context)
    assert "\n" not in str(error.value)


def test_an_array_that_claims_to_be_huge_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.ones(D))
    content = (tmp_path / "a.npy").read_bytes().replace(b"(6,)", b"(6666666666666,)").replace(b" " * 12, b"", 1)
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match="is no file of arrays that can be read"):
        read_directions(tmp_path / "a.npy")


def test_which_files_are_meant_is_said(tmp_path, style, context):
    for wrong in (None, []):
        with pytest.raises(ValueError, match=r"method.files must be a file of directions \(.npy, .npz, .pt\)"):
            Imported(wrong)
    with pytest.raises(FileNotFoundError, match="got 'nowhere/\\*.npy', which matches none"):
        Imported("nowhere/*.npy").fit(style.space("w"), context)
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "smile.npy", np.ones(D))
    with pytest.raises(ValueError, match=r"different names, which the paths take, got several called \['smile'\]"):
        Imported(f"{tmp_path}/*/smile.npy").fit(style.space("w"), context)
    with pytest.raises(ValueError, match="method.layers needs gan.space=w\\+"):
        Imported(f"{tmp_path}/one/smile.npy", layers=1).fit(style.space("w"), context)
    assert (
        Imported(f"{tmp_path}/one/smile.npy")
        .fit(SNGAN(latent_dim=D, widths=[4, 4], image_channels=1).space(), context)
        .num_paths
        == 1
    )
