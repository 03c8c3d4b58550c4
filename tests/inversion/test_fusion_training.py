"""The training of a fusion network: its losses by direct formulas, what it trains, and the command from start to
file."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from safetensors.torch import load_file
from torch import nn

from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.inversion.fusion.hierarchy import Hierarchy, fuse
from latent_lab.inversion.fusion.net import FusionNet, layout_of
from latent_lab.inversion.fusion.objective import FusionObjective, region_error, statistics
from latent_lab.inversion.fusion.training import FusionTraining


class Brightness(nn.Module):
    """A mask that follows the image."""

    def forward(self, images):
        return (8 * images.mean(1, keepdim=True)).sigmoid()


@pytest.fixture
def parts():
    torch.manual_seed(0)
    space = StyleGAN2(16, 16, widths=[16, 16, 8, 4]).double().space("s")
    return space, FusionNet(16, 24, 18, 2).double()


def wide_styles(space):
    """Three latents of s whose images differ as a trained generator's do."""
    rng = torch.Generator().manual_seed(1)
    return tuple(1 + 0.7 * torch.randn(2, *space.shape, generator=rng, dtype=torch.float64) for _ in range(3))


def terms_of(parts, mask, styles=None):
    space, network = parts
    places = layout_of(space.generator, 16)
    styles = styles or wide_styles(space)
    return FusionObjective(2.0, 3.0, 5.0).terms(network, space.generator, places, styles, {}, mask, None), styles


def test_statistics_are_those_of_the_region_wherever_it_is(rng):
    maps = torch.randn(2, 3, 8, 8, generator=rng, dtype=torch.float64)
    mask = torch.zeros(2, 1, 8, 8, dtype=torch.float64)
    mask[:, :, 2:5, 1:4] = 1
    part = maps[:, :, 2:5, 1:4].flatten(2)
    torch.testing.assert_close(
        statistics(maps, mask), torch.cat([part.mean(2), part.std(2, correction=0)], 1), rtol=1e-6, atol=1e-6
    )
    torch.testing.assert_close(statistics(maps.roll(3, 2), mask.roll(3, 2)), statistics(maps, mask))
    torch.testing.assert_close(region_error(maps, 0 * maps, mask), part.square().mean((1, 2)))


def test_the_loss_is_its_formula(parts):
    space, network = parts
    mask = Brightness()
    terms, (a, b, c) = terms_of(parts, mask)
    places = layout_of(space.generator, 16)

    def image(s):
        return space.generator.render(s.split(space.generator.style_sizes(), 1), {})

    x, pose = image(network(a, b, c, places)), mask(image(c))
    one, other = image(network.align(a, c, places)), image(network.align(b, c, places))
    region = region_error(x, one, pose).mean() + region_error(x, other, 1 - pose).mean()
    torch.testing.assert_close(terms["region"], region)
    torch.testing.assert_close(terms["pose"], sum((mask(i) - pose).square().mean() for i in (one, other, x)) / 3)
    first = (statistics(one, mask(one)) - statistics(image(a), mask(image(a)))).square().sum(1).mean() / 3
    second = (statistics(other, 1 - mask(other)) - statistics(image(b), 1 - mask(image(b)))).square().sum(1).mean() / 3
    torch.testing.assert_close(terms["look"], first + second)
    torch.testing.assert_close(terms["loss"], 2 * terms["region"] + 3 * terms["pose"] + 5 * terms["look"])


def test_an_image_fused_with_itself_has_no_loss(parts):
    space, _ = parts
    styles = space.sample(2, torch.Generator().manual_seed(3)).latents
    terms, _ = terms_of(parts, Brightness(), (styles, styles, styles))
    assert terms["loss"] < 1e-12


def test_only_the_network_is_trained_and_the_loss_falls(parts):
    space, network = parts
    module = FusionTraining(space, network, Brightness(), FusionObjective(), seed=0, batch_size=2)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    styles, given, places = wide_styles(space), {}, layout_of(space.generator, 16)
    losses = []
    for _ in range(25):
        loss = module.objective.terms(network, space.generator, places, styles, given, module.mask, None)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert all(p.grad is None for p in space.parameters()) and all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"region": [0.5, 0, 0.2, 1]}, "must be .top, left, bottom, right."),
        ({"batch_size": 0}, "fusion.batch_size must be at least 1"),
        ({"network": FusionNet(4, 8)}, "width 4 takes style vectors of at most 4 entries, got 16"),
        ({"network": FusionNet(16, 8, 3, 2)}, "network.layers of the fusion network is 3, got a generator with"),
    ],
)
def test_what_cannot_be_trained_is_refused(parts, options, message):
    space, network = parts
    options = {"network": network, "region": [0, 0, 0.5, 1.0], "objective": FusionObjective(), "seed": 0} | options
    with pytest.raises(ValueError, match=message):
        FusionTraining(space, **options)


def test_the_command_from_start_to_file(tmp_path, monkeypatch, capfd):
    from latent_lab import train_fusion as command

    monkeypatch.chdir(tmp_path)

    def run(*arguments: str):
        monkeypatch.setattr(sys, "argv", ["latent_lab.train_fusion", *arguments])
        GlobalHydra.instance().clear()
        command.main()
        return max(
            (file.parent for file in tmp_path.rglob("config.yaml")), key=lambda folder: folder.stat().st_ctime_ns
        )

    tiny = (
        "gan=stylegan2",
        "gan.size=tiny",
        "gan.weights=random",
        "region=[0,0,0.5,1]",
        "network.common_layers=2",
        "held_out=2",
    )
    folder = run(
        *tiny, "features.features=null", "trainer.max_steps=4", "checkpoint_every=2", "fusion.batch_size=2", "logger=[]"
    )
    scores = json.loads((folder / "metrics.json").read_text())
    assert (
        set(scores) == {"first_kept", "second_kept", "mask_agreement", "first_taken"} and scores["mask_agreement"] == 1
    )
    assert (folder / "samples.png").stat().st_size > 1000
    whole = load_file(folder / "fusion.safetensors")
    (folder / "checkpoints" / "last.ckpt").unlink()  # as if it had been stopped
    run(f"run={folder}")
    assert "continued from previous.ckpt" in capfd.readouterr().out
    again = load_file(folder / "fusion.safetensors")
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    torch.manual_seed(0)
    space = StyleGAN2(16, 16, widths=[16, 16, 8, 4]).space("w+")
    codes = space.sample(2, torch.Generator())
    found = fuse(
        Hierarchy({"all": {"person": None, "background": None}}, folder / "hierarchy.json"),
        space,
        {"all": codes, "person": codes},
    )
    torch.testing.assert_close(space.generator.decode("s", found), space.decode(codes))
