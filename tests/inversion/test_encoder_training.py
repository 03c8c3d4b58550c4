"""Trainings of encoders: what is trained and what is not, the losses and schedules, on a tiny generator."""

import math
from functools import partial

import pytest
import pytorch_lightning as pl
import torch

from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.inversion.encoders.files import encoder_bytes
from latent_lab.inversion.encoders.latent_critic import LatentCritic, LatentPool
from latent_lab.inversion.encoders.objective import EncoderObjective
from latent_lab.inversion.encoders.ranger import Ranger
from latent_lab.inversion.encoders.style_encoder import StyleEncoder
from latent_lab.inversion.encoders.style_training import EditableEncoderTraining, StyleEncoderTraining
from latent_lab.inversion.hfgi.distortion import ConsultationEncoder, DistortionAlignment
from latent_lab.inversion.hfgi.training import HFGITraining, misalign
from latent_lab.inversion.perceptual import FeatureDistance

NETWORK = partial(StyleEncoder, resolution=32, widths=(4, 8, 12, 16), depths=(1, 1, 1, 1), reduction=2, head_width=8)


class Gradients(torch.nn.Module):
    """Differences of neighbours, as a feature network would be injected."""

    layers = ("x", "y")

    def forward(self, images):
        return {"x": images.diff(dim=3), "y": images.diff(dim=2)}


@pytest.fixture
def styled():
    torch.manual_seed(1)
    generator = StyleGAN2(latent_dim=16, style_dim=16, widths=[16, 16, 8, 4])
    generator.mapping.mean.normal_(0, 0.1)
    return generator.space("w+")


def options(space, **objective) -> dict:
    weights = EncoderObjective(**{"identity": 0.0, "features": 0.0} | objective)
    common = {
        "space": space,
        "objective": weights,
        "data": None,
        "seed": 0,
        "batch_size": 4,
        "optimiser": partial(Ranger, lr=1e-3),
    }
    return common | {"distance": FeatureDistance(Gradients(), normalised=True), "identity": torch.nn.Flatten()}


def fit(module, steps: int):
    trainer = pl.Trainer(
        accelerator="cpu", max_steps=steps * module.optimisers, max_epochs=-1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module)
    return trainer


def copied(module) -> dict:
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(before: dict, module) -> bool:
    return all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("kind", ["psp", "e4e", "restyle"])
def test_every_weight_of_the_encoder_is_trained_and_none_of_the_generator(styled, kind):
    torch.manual_seed(0)
    every = {"latents": 1.0, "features": 0.8, "identity": 0.1, "offsets": 0.005}
    if kind == "e4e":
        module = EditableEncoderTraining(
            NETWORK, first=0, every=1, lr_critic=1e-3, **options(styled, deltas=2e-4, critic=0.1, **every)
        )
    else:
        module = StyleEncoderTraining(NETWORK, iterations=3 if kind == "restyle" else 1, **options(styled, **every))
    frozen, before = copied(styled), copied(module.encoder)
    critic = copied(module.critic) if kind == "e4e" else {}
    trainer = fit(module, 7)
    assert same(frozen, styled) and all(p.grad is None for p in styled.parameters())
    still = [name for name, value in module.encoder.named_parameters() if torch.equal(value, before[name])]
    assert still == []
    assert torch.equal(module.encoder.mean, before["mean"])
    if kind == "e4e":
        assert not any(torch.equal(value, critic[name]) for name, value in module.critic.state_dict().items())
        assert (
            module.encoder.network.deltas == 7
            and module.encoder.network.config["deltas"] == 7
            and module.pool.count == 50
        )
    assert math.isfinite(trainer.callback_metrics["train/loss"])
    checkpoint = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(checkpoint)
    assert checkpoint["state_dict"] and not any(
        name.startswith(("space.", "image_terms.")) for name in checkpoint["state_dict"]
    )


def test_rows_are_freed_one_after_the_other(styled):
    module = EditableEncoderTraining(NETWORK, first=3, every=2, **options(styled, deltas=1.0, critic=0.1))
    assert [module.deltas_at(step) for step in range(9)] == [0, 0, 0, 1, 1, 2, 2, 3, 3] and module.deltas_at(1000) == 7
    module.encoder.network.deltas = 2
    found = torch.randn(4, 8, 16)
    terms = module.latent_terms(found, None)
    expected = sum((found[:, i] - found[:, 0]).norm(dim=1).mean() for i in (1, 2))
    torch.testing.assert_close(terms["deltas"], expected)
    torch.testing.assert_close(
        terms["critic"], torch.nn.functional.softplus(-module.critic(found[:, :3].reshape(12, 16))).mean()
    )


def test_latents_alone_need_no_image_of_the_encoders(styled, monkeypatch):
    calls, decode = [], type(styled).decode
    monkeypatch.setattr(
        type(styled), "decode", lambda self, codes: calls.append(torch.is_grad_enabled()) or decode(self, codes)
    )
    torch.manual_seed(0)
    module = StyleEncoderTraining(NETWORK, **options(styled, pixels=0.0, latents=1.0))
    losses = []
    monkeypatch.setattr(module, "end_step", lambda terms, loss: losses.append(loss.item()))
    fit(module, 30)
    assert calls == [False] * 30  # the examples
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


def test_hfgi_trains_its_two_networks_and_lowers_the_loss(tmp_path, styled):
    torch.manual_seed(0)
    encoder = NETWORK(rows=8, style_dim=16, deltas=7)
    (tmp_path / "e4e.safetensors").write_bytes(
        encoder_bytes({"encoder": encoder}, styled.generator.mapping.mean.expand(8, -1), 1, {})
    )
    module = HFGITraining(
        str(tmp_path / "e4e.safetensors"),
        partial(DistortionAlignment, widths=(4, 4, 8, 8)),
        partial(ConsultationEncoder, widths=(4, 8, 8), head_width=8),
        resolution=32,
        **options(styled, alignment=0.1),
    )
    frozen, base, before = copied(styled), copied(module.encoder), copied(module.align) | copied(module.consult)
    losses, end = [], module.end_step
    module.end_step = lambda terms, loss: losses.append(loss.item()) or end(terms, loss)
    fit(module, 12)
    assert same(frozen, styled) and same(base, module.encoder)
    trained = [*module.align.named_parameters(), *module.consult.named_parameters()]
    assert [name for name, value in trained if torch.equal(value, before[name])] == []
    assert sum(losses[-4:]) < sum(losses[:4])
    assert module.row == 1 and module.consult.config["features"] == 16


def test_misalignment_is_of_each_image_and_only_by_chance(rng):
    images = torch.randn(6, 2, 16, 16, generator=rng)
    assert torch.equal(misalign(images, 0.5, 0.0, rng), images)
    moved = misalign(images, 0.5, 1.0, torch.Generator().manual_seed(3))
    assert all(not torch.equal(one, other) for one, other in zip(moved, images))
    first = misalign(images[:1], 0.5, 1.0, torch.Generator().manual_seed(3))
    torch.testing.assert_close(first, moved[:1])
    torch.testing.assert_close(misalign(images, 0.0, 1.0, rng), images, atol=1e-4, rtol=0)


def test_ranger_draws_its_weights_back_to_the_slow_ones():
    def run(every: int) -> list[torch.Tensor]:
        weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        optimiser, path = Ranger([weight], lr=0.1, every=every, share=0.5), []
        for _ in range(7):
            optimiser.zero_grad()
            weight.square().sum().backward()
            optimiser.step()
            path.append(weight.detach().clone())
        return path

    plain, drawn = run(0), run(3)
    reference = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimiser = torch.optim.RAdam([reference], 0.1, (0.95, 0.999), 1e-5)
    reference.square().sum().backward()
    optimiser.step()
    torch.testing.assert_close(plain[0], reference.detach())
    torch.testing.assert_close(drawn[:2], plain[:2])
    torch.testing.assert_close(drawn[2], (torch.tensor([1.0, -2.0]) + plain[2]) / 2)


def test_the_pool_keeps_every_style_and_the_penalty_is_autograds(rng):
    pool, latents = LatentPool(4, 3), torch.arange(30.0).view(10, 3)
    found = pool.exchange(latents, rng)
    torch.testing.assert_close(found[:4], latents[:4])
    both = torch.cat([found[4:], pool.held]).sort(0).values
    torch.testing.assert_close(both, latents.sort(0).values)
    assert torch.equal(LatentPool(0, 3).exchange(latents, rng), latents)
    critic = LatentCritic(3).double()
    real = torch.randn(5, 3, generator=rng).double().requires_grad_()
    jacobian = torch.autograd.functional.jacobian(lambda x: critic(x).sum(), real)
    torch.testing.assert_close(critic.slope(real), jacobian.square().sum(1).mean())


def test_what_cannot_be_is_one_line(styled):
    base = options(styled)
    for change, message in (
        ({"objective": EncoderObjective(features=1.0), "distance": None}, "objective.features must be 0"),
        (
            {"objective": EncoderObjective(identity=1.0), "identity": None, "distance": Gradients()},
            "objective.identity must be 0",
        ),
        ({"objective": EncoderObjective(latents=1.0), "data": object()}, "objective.latents must be 0"),
        ({"batch_size": 0}, "batch_size"),
        ({"iterations": 0}, "iterations"),
    ):
        with pytest.raises(ValueError, match=message):
            StyleEncoderTraining(NETWORK, **base | change)
    with pytest.raises(ValueError, match="objective.alignment must be 0"):
        fit(StyleEncoderTraining(NETWORK, **options(styled, alignment=1.0)), 1)
    for weights in ({"pixels": -1.0}, {"pixels": 0.0, "features": 0.0, "identity": 0.0}):
        with pytest.raises(ValueError, match="encoder.objective"):
            EncoderObjective(**weights)
    with pytest.raises(FileNotFoundError, match="train_encoder encoder="):
        HFGITraining(None, DistortionAlignment, ConsultationEncoder, **base)
