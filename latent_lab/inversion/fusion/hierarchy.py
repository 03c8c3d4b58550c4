"""StyleFusion: an image whose regions come from different images."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from latent_lab.checkpoints.limits import quote, reason
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.gans.styled import StyleGenerator
from latent_lab.inversion.fusion.net import FusionNet, layout_of

LARGEST = 2**20  # bytes of a list of files


class Hierarchy:
    """A tree of regions within regions, with a network for each region that is divided.

    References:
        | StyleFusion: A Generative Model for Disentangling Spatial Segments (Kafri et al., 2021), Section 3.3
        | https://arxiv.org/abs/2107.07437

    Arguments:
        tree: One root; of each region its two parts and theirs, or nothing: ``{all: {person: null, background:
            null}}``.
        weights: A JSON file of the networks' files by region, paths from its own folder; or such a mapping; None for
            none.
    """

    def __init__(self, tree: Mapping[str, object], weights: str | Path | Mapping[str, str] | None = None) -> None:
        self.parts: dict[str, tuple[str, ...]] = {}
        if not isinstance(tree, Mapping) or len(tree) != 1:
            raise ValueError(
                f"hierarchy.tree must have one root, got {list(tree) if isinstance(tree, Mapping) else tree!r}"
            )
        (self.root,) = tree
        self._grow(self.root, tree[self.root])
        self.files = self._listed(weights)
        unknown = sorted(self.files.keys() - {name for name, parts in self.parts.items() if parts})
        if unknown:
            raise ValueError(
                f"hierarchy.weights must name regions with parts, {[n for n, p in self.parts.items() if p]}, "
                f"got {unknown}"
            )
        self.networks: dict[str, FusionNet] = {}

    def _grow(self, name: str, below: object) -> None:
        below = below or {}
        if name in self.parts or not isinstance(below, Mapping) or len(below) not in (0, 2):
            raise ValueError(
                f"hierarchy.tree must give each region once, with two parts or none, got {name!r} with {list(below)}"
            )
        self.parts[name] = tuple(below)
        for part, deeper in below.items():
            self._grow(part, deeper)

    def _listed(self, weights: str | Path | Mapping[str, str] | None) -> dict[str, Path]:
        if weights is None or isinstance(weights, Mapping):
            return {name: Path(file) for name, file in (weights or {}).items()}
        file = Path(weights).expanduser()
        if not file.is_file():
            raise FileNotFoundError(
                f"hierarchy.weights must be a JSON file that maps regions to files, got {str(file)!r}"
            )
        try:
            listed = json.loads(file.read_bytes()) if file.stat().st_size <= LARGEST else None
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"hierarchy.weights must be a JSON file that maps regions to files, got {file}: {reason(error)}"
            ) from None
        if not isinstance(listed, dict) or not all(isinstance(value, str) for value in listed.values()):
            raise ValueError(f"{file} must map regions to files, in at most {LARGEST} bytes, got {quote(listed)}")
        return {name: file.parent / Path(value).expanduser() for name, value in listed.items()}

    def network(self, name: str) -> FusionNet:
        """Return the network of a region with parts. Its file is read when it is first asked for.

        Raises:
            ValueError: The hierarchy has no file for it.
        """
        if name not in self.networks:
            if name not in self.files:
                raise ValueError(
                    f"hierarchy.weights must give a file for {name!r}; published ones and our training: "
                    "docs/stylefusion.md"
                )
            self.networks[name] = FusionNet.load(self.files[name])
        return self.networks[name]

    def require(self, regions: Iterable[str]) -> None:
        """Read the networks that put sources of these regions together, so that a missing one is told at once."""
        for name in self.parts:
            if self.is_divided(name, regions):
                self.network(name)

    def is_divided(self, name: str, regions: Iterable[str]) -> bool:
        """Tell whether a region comes from more than one source; two equal parts would fuse to themselves."""
        return bool((self.below(name) - {name}).intersection(regions))

    def below(self, name: str) -> set[str]:
        """Return the names of a region and of all regions within it."""
        return {name}.union(*(self.below(part) for part in self.parts[name]))


def fuse(hierarchy: Hierarchy, space: LatentSpace, sources: Mapping[str, Codes]) -> Codes:
    """Fuse images into codes of s, each region from its own source.

    A region without a source takes that of the region around it. The source of a region with parts sets their pose;
    whatever else fixes the images (noise, conditions) is taken from the root's.

    Arguments:
        hierarchy: The regions and their networks.
        space: Space of the sources.
        sources: Codes by region, N each; the root's must be there.
    """
    unknown = sorted(sources.keys() - hierarchy.parts.keys())
    if unknown or hierarchy.root not in sources:
        raise ValueError(
            f"sources must hold {hierarchy.root!r} and may hold others of {list(hierarchy.parts)}, "
            f"got {sorted(sources)}"
        )
    if not isinstance(space.generator, StyleGenerator):
        raise ValueError(f"fusion needs a generator with style vectors, got {type(space.generator).__name__}")
    if len({len(codes) for codes in sources.values()}) > 1:
        raise ValueError(
            f"sources must be as many images each, got { {name: len(codes) for name, codes in sources.items()} }"
        )
    styles = {name: space.generator.convert(codes, space.name, "s").latents for name, codes in sources.items()}

    def fused(name: str, around: Tensor) -> Tensor:
        own = styles.get(name, around)
        if not hierarchy.is_divided(name, styles):
            return own
        one, other = (fused(part, own) for part in hierarchy.parts[name])
        network = hierarchy.network(name).to(own)
        return network(one, other, own, layout_of(space.generator, network.width))

    root = sources[hierarchy.root].without("z")  # no point of the mapping has these styles
    return root.moved(fused(hierarchy.root, styles[hierarchy.root]))
