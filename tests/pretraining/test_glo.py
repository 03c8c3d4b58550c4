"""GLO: its loss and its latents, and pretraining that is resumed to the same bits."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from safetensors.torch import load_file

from latent_lab import load_generator
from latent_lab import pretrain as command
from latent_lab.data.images import Batches, IdxImages
from latent_lab.gans.glo import GLO, project_to_ball
from latent_lab.ops.psnr import psnr
from latent_lab.pretraining.glo import GLOPretraining, laplacian_pyramid
from tests.idx_files import write_idx
from tests.workflows.conftest import newest_run

pytestmark = pytest.mark.slow


TINY = {
    "glo": (
        "gan=glo",
        "gan.generator.widths=[8,8,8]",
        "gan.generator.latent_dim=6",
        "gan.pretraining.held_out_steps=2",
    ),
    "hinge": ("gan=sngan_mnist", "gan.generator.widths=[8,8,8,8]", "gan.pretraining.critic.widths=[8,8]"),
}
QUICK = ("judge.epochs=0", "statistics_batches=2", "logger=[]", "dataset.data.held_out=40", "dataset.data.batch_size=8")


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """100 images of smooth noise in MNIST's format; five batches of 8 of its 60 training images make no epoch."""
    rng = torch.Generator().manual_seed(0)
    noise = torch.nn.functional.interpolate(torch.rand(100, 1, 4, 4, generator=rng), size=28, mode="bilinear")[:, 0]
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name, values in (("images", (255 * noise).byte()), ("labels", torch.arange(100, dtype=torch.uint8) % 10)):
        write_idx(folder / f"train-{name}-idx{values.ndim}-ubyte.gz", values)
    monkeypatch.setenv("LATENT_LAB_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    files = {part: {"name": f"train-{part}-idx{axes}-ubyte.gz"} for part, axes in (("images", 3), ("labels", 1))}
    data = IdxImages(str(folder), None, files, held_out=40, batch_size=8)
    data.setup()
    return data


def module(data: IdxImages, latent_dim: int = 6, **changed) -> GLOPretraining:
    options = dict(lr_generator=1e-3, lr_latents=1e-2, levels=3, squared=1.0, held_out_steps=2) | changed
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return GLOPretraining(GLO(latent_dim, [8, 8, 8], 1), data, 0, **options)


def run(tmp_path, monkeypatch, *arguments: str):
    monkeypatch.setattr(sys, "argv", ["latent_lab.pretrain", *arguments])
    GlobalHydra.instance().clear()
    command.main()
    return newest_run(tmp_path)


@pytest.mark.parametrize("kind", TINY)
def test_a_resumed_run_ends_with_the_same_bits(kind, digits, tmp_path, monkeypatch, capsys):
    arguments = (*TINY[kind], *QUICK, "trainer.max_steps=12")  # epochs have 7 steps: it stops in the second one
    whole = load_file(run(tmp_path, monkeypatch, *arguments, "target=whole") / "generator.safetensors")
    folder = run(tmp_path, monkeypatch, *arguments, "target=stopped", "checkpoint_every=10")
    (folder / "generator.safetensors").unlink()
    (folder / "checkpoints" / "last.ckpt").unlink()  # of step 12; the previous one is of step 10
    again = load_file(run(tmp_path, monkeypatch, f"run={folder}") / "generator.safetensors")
    assert "continued from previous.ckpt" in capsys.readouterr().out
    assert whole.keys() == again.keys() and all(torch.equal(whole[name], again[name]) for name in whole)


def test_every_epoch_has_an_order_of_its_own_and_resuming_goes_on_within_it():
    whole = list(Batches(10, 3, seed=0, steps=8))
    assert [len(batch) for batch in whole] == [3] * 8 and len(Batches(10, 3, seed=0)) == 3
    epochs = [sum(whole[i : i + 3], []) for i in (0, 3)]
    assert all(len(set(epoch)) == 9 for epoch in epochs) and epochs[0] != epochs[1]
    for first in range(8):
        assert list(Batches(10, 3, seed=0, steps=8, first=first)) == whole[first:]
    assert whole != list(Batches(10, 3, seed=1, steps=8)) and whole != list(Batches(10, 3, seed=0, rank=1, steps=8))


def test_the_pyramid_adds_up_to_the_image(rng):
    flat = torch.full((1, 2, 8, 8), 0.3, dtype=torch.float64)
    *bands, rest = laplacian_pyramid(flat, 2)
    assert [tuple(band.shape[2:]) for band in bands] == [(8, 8), (4, 4)] and rest.shape[2:] == (2, 2)
    assert all(band.abs().max() < 1e-12 for band in bands) and torch.allclose(rest, torch.full_like(rest, 0.3))
    images = torch.randn(2, 1, 8, 8, generator=rng, dtype=torch.float64)
    one, rest = laplacian_pyramid(images, 1)
    assert torch.allclose(torch.nn.functional.avg_pool2d(images - one, 2), rest)


def test_latents_begin_as_whitened_components_on_the_ball(digits):
    made = module(digits)
    scores = (made.images.flatten(1) - made.centre) @ made.whitening
    torch.testing.assert_close(scores.mT.cov(), torch.eye(6), rtol=0, atol=1e-3)
    assert (
        torch.equal(made.latents.weight, project_to_ball(scores))
        and (made.latents.weight.norm(dim=1) <= 1 + 1e-6).all()
    )


def test_only_the_latents_of_a_batch_and_their_moments_change(digits):
    made = module(digits)
    before = made.latents.weight.detach().clone()
    optimiser = torch.optim.SparseAdam(made.latents.parameters(), 0.5)
    index = torch.tensor([3, 5])
    made.loss(made.generator(made.latents(index)), made.images[index]).mean().backward()
    optimiser.step()
    changed = (made.latents.weight.detach() != before).any(1)
    (state,) = optimiser.state.values()
    assert changed.nonzero().flatten().tolist() == state["exp_avg"].any(1).nonzero().flatten().tolist() == [3, 5]


def test_samples_have_the_learned_latents_mean_and_covariance():
    rng = torch.Generator().manual_seed(0)
    latents = 0.1 * torch.randn(5000, 4, generator=rng) @ torch.randn(4, 4, generator=rng) + torch.tensor(
        [0.1, -0.2, 0.0, 0.1]
    )
    generator = GLO(4, [8], 1)
    generator.fit_prior(latents)
    samples = generator.space().sample(5000, rng).latents
    inside = latents.norm(dim=1) < 1
    assert inside.float().mean() > 0.95 and samples.norm(dim=1).max() <= 1 + 1e-6
    torch.testing.assert_close(samples.mean(0), project_to_ball(latents).mean(0), rtol=0, atol=0.02)
    torch.testing.assert_close(samples.T.cov(), project_to_ball(latents).T.cov(), rtol=0.1, atol=0.005)
    assert torch.allclose(generator.space(truncation=0.0).sample(2, rng).latents, generator.mean)


def test_it_learns_and_its_file_is_a_generator(digits, tmp_path, monkeypatch):
    folder = run(
        tmp_path, monkeypatch, *TINY["glo"], *QUICK, "trainer.max_steps=150", "gan.pretraining.lr_generator=5e-3"
    )
    space = load_generator(folder / "generator.safetensors").space("z")
    assert type(space.generator) is GLO and (folder / "interpolation.png").stat().st_size > 1000
    images = space.decode(space.sample(4, torch.Generator().manual_seed(0)))
    mean = digits.images[:60].float().mean(0) / 127.5 - 1
    scores = json.loads((folder / "metrics.json").read_text())
    flat = psnr(mean.expand(60, 1, 28, 28), digits.prepare_images(digits.images[:60])[:, :, 2:30, 2:30]).mean()
    assert images.shape == (4, 1, 32, 32) and scores["reconstruction_training_psnr"] > flat + 1


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"latent_dim": 60},
            r"gan.generator.latent_dim must be below the 60 training images and their 1024 values, got 60",
        ),
        ({"levels": 0}, r"gan.pretraining.levels must be between 1 and 3 for images of 32 pixels, got 0"),
        ({"levels": 4}, r"between 1 and 3 for images of 32 pixels, got 4"),
    ],
)
def test_arguments_out_of_range_are_refused(digits, change, message):
    with pytest.raises(ValueError, match=message):
        module(digits, **change)


def test_a_generator_without_a_training_is_named(digits, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="gan=shapes has no training from scratch"):
        run(tmp_path, monkeypatch, "gan=shapes", "dataset=mnist")
