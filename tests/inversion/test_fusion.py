"""StyleFusion: the published network's numbers, regions from their sources, files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from latent_lab.checkpoints.fusion_files import fusion_bytes
from latent_lab.gans.codes import Codes
from latent_lab.gans.mobilestylegan import MobileStyleGAN
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.installation import CONF
from latent_lab.inversion.fusion.hierarchy import Hierarchy, fuse
from latent_lab.inversion.fusion.net import FusionNet, layout, layout_of

GOLDEN = Path(os.environ.get("LATENT_LAB_GOLDEN", "")) / "stylefusion"
golden = pytest.mark.skipif(
    not os.environ.get("LATENT_LAB_GOLDEN"), reason="LATENT_LAB_GOLDEN names no folder of golden files"
)
TREE = {"all": {"person": {"head": None, "body": None}, "background": None}}
FAMILIES = {
    "stylegan2": lambda: StyleGAN2(16, 16, widths=[16, 16, 8, 4]),
    "mobile": lambda: MobileStyleGAN(16, 16, widths=[16, 16, 8, 8]),
}


@pytest.fixture(params=list(FAMILIES))
def space(request):
    torch.manual_seed(0)
    return FAMILIES[request.param]().space("w+")


def network(seed: int = 1) -> FusionNet:
    torch.manual_seed(seed)
    return FusionNet(width=16, hidden=24, layers=18, common_layers=2).eval().requires_grad_(False)


def sampled(space, *seeds: int) -> list[Codes]:
    return [space.sample(2, torch.Generator().manual_seed(seed)) for seed in seeds]


def styles_of(space, *seeds: int) -> list[torch.Tensor]:
    return [space.generator.convert(codes, space.name, "s").latents for codes in sampled(space, *seeds)]


@golden
@pytest.mark.parametrize("name", ["fusion_net.pt", "fusion_net_bare.pt"])
def test_the_published_network_gives_its_own_numbers(name):
    net, arrays = FusionNet.load(GOLDEN / name), np.load(GOLDEN / "io.npz")
    keys = [f"conv_{i}" for i in range(17)] + [f"rgb_{i}" for i in range(9)]

    def flat(prefix: str) -> torch.Tensor:
        return torch.cat([torch.from_numpy(arrays[f"{prefix}_{key}"]) for key in keys], 1)

    sizes = [arrays[f"s0_{key}"].shape[1] for key in keys]
    places = layout(sizes, [*range(17), *range(9)], [key.startswith("rgb") for key in keys], net.width)
    s0, s1, s2 = (flat(f"s{i}") for i in range(3))
    twice = net(s0.repeat(2, 1), s1.repeat(2, 1), s2.repeat(2, 1), places)
    for found, prefix in (
        (net(s0, s1, s2, places), "out"),
        (twice[1:], "out"),
        (net(s0, s1, None, places), "out_only_segments"),
        (net.align(s0, s2, places), "out_only_common"),
    ):
        reference = flat(prefix)
        assert (found - reference).abs().max() <= 1e-5 * max(1, reference.abs().max())


def test_stylegan2s_layers_are_numbered_as_published():
    with torch.device("meta"):
        parts = StyleGAN2().style_layers()
    numbers = [(part.row // 2 if part.colours else part.row) for part in parts]
    assert [n for n, part in zip(numbers, parts) if not part.colours] == list(range(17))
    assert [n for n, part in zip(numbers, parts) if part.colours] == list(range(9))


def test_equal_images_fuse_to_themselves_and_vectors_come_back(space):
    (styles,) = styles_of(space, 0)
    net = network()
    places = layout_of(space.generator, net.width)
    assert torch.equal(places.pool(places.spread(styles)), styles)
    assert torch.equal(net(styles, styles, styles, places), styles) and torch.equal(
        net.align(styles, styles, places), styles
    )


def test_each_entry_lies_between_its_sources_and_only_coarse_layers_see_the_common_one(space):
    a, b, c = styles_of(space, 0, 1, 2)
    net = network()
    places = layout_of(space.generator, net.width)
    segments = net(a, b, None, places)
    assert ((segments - a) * (segments - b) <= 1e-6).all() and (segments - a).abs().max() > 1e-3
    whole = net(a, b, c, places)
    coarse = torch.zeros(places.size, dtype=torch.bool)
    coarse[places.source[places.numbers < net.common_layers].flatten()] = True
    assert torch.equal(whole[:, ~coarse], segments[:, ~coarse]) and not torch.allclose(
        whole[:, coarse], segments[:, coarse], atol=1e-4
    )


def test_an_image_does_not_depend_on_its_batch_and_all_sources_have_gradients(space):
    sources = [styles.requires_grad_() for styles in styles_of(space, 0, 1, 2)]
    net = network()
    places = layout_of(space.generator, net.width)
    found = net(*sources, places)
    alone = torch.cat([net(*[styles[i : i + 1] for styles in sources], places) for i in range(2)])
    torch.testing.assert_close(found, alone)
    assert all(gradient.abs().max() > 0 for gradient in torch.autograd.grad(found.square().sum(), sources))


def test_regions_take_their_sources_and_inherit_the_rest(space, tmp_path):
    for name, seed in (("all", 1), ("person", 2)):
        net = network(seed)
        (tmp_path / f"{name}.safetensors").write_bytes(fusion_bytes(net.config, net.state_dict()))
    (tmp_path / "map.json").write_text(json.dumps({"all": "all.safetensors", "person": "person.safetensors"}))
    hierarchy = Hierarchy(TREE, tmp_path / "map.json")
    root, head, background = sampled(space, 0, 1, 2)
    found = fuse(hierarchy, space, {"all": root, "head": head, "background": background})
    s = [space.generator.convert(codes, "w+", "s").latents for codes in (root, head, background)]
    places = layout_of(space.generator, 16)
    person = network(2)(s[1], s[0], s[0], places)
    torch.testing.assert_close(found.latents, network(1)(person, s[2], s[0], places))
    assert "z" not in found.given and space.generator.decode("s", found).isfinite().all()
    alone = fuse(hierarchy, space, {"all": root})
    torch.testing.assert_close(space.generator.decode("s", alone), space.decode(root))


def test_what_has_no_part_with_a_source_needs_no_weights(space):
    root, background = sampled(space, 0, 1)
    assert torch.equal(
        fuse(Hierarchy(TREE), space, {"all": root}).latents, space.generator.convert(root, "w+", "s").latents
    )
    with pytest.raises(ValueError, match="hierarchy.weights must give a file for 'all'"):
        fuse(Hierarchy(TREE), space, {"all": root, "background": background})


@pytest.mark.parametrize("name", sorted(file.stem for file in (CONF / "hierarchy").glob("*.yaml")))
def test_every_hierarchy_is_a_tree_of_pairs(name):
    hierarchy = instantiate(OmegaConf.load(CONF / "hierarchy" / f"{name}.yaml"))
    assert hierarchy.root == "all" and hierarchy.below("all") == set(hierarchy.parts)
    assert {len(parts) for parts in hierarchy.parts.values()} == {0, 2}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a": None, "b": None}, r"hierarchy.tree must have one root, got \['a', 'b'\]"),
        ({"all": {"a": None}}, "hierarchy.tree must give each region once, with two parts or none, got 'all' with"),
        ({"all": {"a": None, "all": None}}, "got 'all' with"),
    ],
)
def test_trees_that_are_none_are_refused(tree, message):
    with pytest.raises(ValueError, match=message):
        Hierarchy(tree)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({"person": 2}, r"sources must hold 'all' and may hold others of \['all', .*, got \['person'\]"),
        ({"all": 2, "sky": 2}, r"got \['all', 'sky'\]"),
        ({"all": 2, "person": 1}, "sources must be as many images each"),
    ],
)
def test_sources_that_do_not_fit_are_refused(space, sources, message):
    with pytest.raises(ValueError, match=message):
        fuse(Hierarchy(TREE), space, {name: space.sample(num, torch.Generator()) for name, num in sources.items()})


def test_files_that_hold_no_network_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="hierarchy.weights must be a JSON file"):
        Hierarchy(TREE, tmp_path / "none.json")
    (tmp_path / "map.json").write_text("[1]")
    with pytest.raises(ValueError, match="must map regions to files"):
        Hierarchy(TREE, tmp_path / "map.json")
    with pytest.raises(
        ValueError, match=r"hierarchy.weights must name regions with parts, \['all', 'person'\], got \['head'\]"
    ):
        Hierarchy(TREE, {"head": "file"})
    torch.save({"state_dict": {"blender_common.disentangle_net.0.weight": torch.zeros(2, 2)}}, tmp_path / "part.pt")
    with pytest.raises(ValueError, match="must hold StyleFusion's two blenders"):
        FusionNet.load(tmp_path / "part.pt")
    with pytest.raises(FileNotFoundError, match="which does not exist"):
        FusionNet.load(tmp_path / "absent.pt")


def test_generators_that_a_network_cannot_tell_are_refused(space):
    net = FusionNet(width=16, hidden=8, layers=3, common_layers=1)
    (styles,) = styles_of(space, 0)
    with pytest.raises(ValueError, match="network.layers of the fusion network is 3, got a generator with"):
        net(styles, styles, None, layout_of(space.generator, 16))
    with pytest.raises(ValueError, match="width 4 takes style vectors of at most 4 entries, got 16"):
        layout_of(space.generator, 4)
