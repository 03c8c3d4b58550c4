"""Directions that others have found and published, read from their files."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from latent_lab.checkpoints.directions import FORMATS, read_directions
from latent_lab.console import log
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, Method
from latent_lab.paths.base import Paths
from latent_lab.paths.layerwise import layer_rows, restrict_to_rows
from latent_lab.paths.linear import LinearPaths
from latent_lab.paths.rowwise import RowwisePaths


class Imported(Method):
    r"""Straight paths along the directions of files, with the lengths that they have there.

    InterFaceGAN's boundaries (``.npy``, ``.pt``), GANSpace's components (``.npz``, ``.pt``; an amount of 1 is one
    standard deviation :math:`\sigma_k` of the component, :math:`n_k = \sigma_k u_k`) and SeFa's eigenvectors (``.npy``,
    rosinality's ``.pt``). A file of one direction gives the path its name; the directions of a larger file are
    numbered.

    References:
        | Interpreting the Latent Space of GANs for Semantic Face Editing (Shen et al., 2020)
        | GANSpace: Discovering Interpretable GAN Controls (Härkönen et al., 2020)
        | Closed-Form Factorization of Latent Semantics in GANs (Shen & Zhou, 2021)
        | https://arxiv.org/abs/1907.10786, https://arxiv.org/abs/2004.02546, https://arxiv.org/abs/2007.06600

    Arguments:
        files: A file, a pattern, or a list of them.
        num_paths: Number of directions taken of each file, from the first; None for all.
        layers: Layer range of w+, see :func:`latent_lab.paths.layerwise.layer_rows`.
        per_layer: Meaning of an array :math:`(L, D)` with the L layers of w+: True for one direction with a row for
            each layer; False for L directions; None for the former, which is then reported.
    """

    seeded = False

    def __init__(
        self,
        files: str | Sequence[str] | None,
        num_paths: int | None = None,
        layers: int | str | Sequence[int | str] | None = None,
        per_layer: bool | None = None,
    ) -> None:
        if not files:
            raise ValueError(
                f"method.files must be a file of directions ({', '.join(FORMATS)}), a pattern or a list of them, "
                f"got {files!r}"
            )
        if num_paths is not None and num_paths < 1:
            raise ValueError(f"method.num_paths must be null (all) or at least 1, got {num_paths}")
        self.files = [files] if isinstance(files, str) else list(files)
        self.num_paths, self.layers, self.per_layer = num_paths, layers, per_layer

    def find_files(self) -> list[Path]:
        """Return the files, in the order of the list and of their names.

        Raises:
            FileNotFoundError: A pattern matches none.
            ValueError: Two files have the same name.
        """
        files: list[Path] = []
        for pattern in self.files:
            expanded = str(Path(pattern).expanduser())
            matches = [expanded] if Path(expanded).is_file() else sorted(glob.glob(expanded, recursive=True))
            files += [Path(match) for match in matches if Path(match).is_file()]
            if not matches:
                raise FileNotFoundError(
                    f"method.files must name files that exist, got {str(pattern)!r}, which matches none"
                )
        stems = [file.stem for file in files]
        twice = sorted({stem for stem in stems if stems.count(stem) > 1})
        if twice:
            raise ValueError(
                f"method.files must have different names, which the paths take, got several called {twice}"
            )
        return files

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Read the directions and make paths of them."""
        rows = layer_rows(space, self.layers)
        parts: dict[str, Tensor] = {}
        for file in self.find_files():
            for number, direction in enumerate(directions := self.arrange(read_directions(file), space, file)):
                parts[file.stem if len(directions) == 1 else f"{file.stem}.{number}"] = direction
            context.findings.setdefault("files", {})[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
        context.findings["names"] = list(parts)
        if all(direction.ndim == 1 for direction in parts.values()):
            return restrict_to_rows(LinearPaths.along(torch.stack(list(parts.values()), 1)), rows)
        whole = torch.stack([direction.expand(space.shape) for direction in parts.values()])
        kept = torch.zeros_like(whole)
        kept[:, rows] = whole[:, rows]
        return RowwisePaths.along(kept)

    def arrange(self, array: Tensor, space: LatentSpace, file: Path) -> Tensor:
        """Return a file's directions as :math:`(K, D)`, or :math:`(K, L, D)` if those of the layers differ.

        Raises:
            ValueError: They are of another generator or space.
        """
        size, shape = space.shape[-1], tuple(array.shape)
        if shape[-1] != size:
            raise ValueError(
                f"{file} must have directions of the {size} numbers of a latent in space {space.name}, got {shape}: "
                "another generator's?"
            )
        array = array[None] if array.ndim == 1 else array
        layers = space.generator.latent_shape("w+")[0] if "w+" in space.generator.spaces else None
        if array.ndim == 2 and len(array) == layers and self.per_layer is not False:
            if self.per_layer is None and layers > 1:
                log.info(
                    f"{file.name}: {shape} is taken for one direction with a row for each layer; "
                    f"method.per_layer=false for {layers}"
                )
            array = array[None]
        if array.ndim == 3 and array.shape[1] == 1:
            array = array[:, 0]
        elif array.ndim == 3 and array.shape[1] != layers:
            raise ValueError(f"{file} must have a row for each of the {layers} layers of this generator, got {shape}")
        if array.ndim == 3 and (array == array[:, :1]).all():
            array = array[:, 0]  # the same in all layers: a direction of w
        if array.ndim == 3 and len(space.shape) == 1:
            raise ValueError(
                f"{file} has another direction in each layer, {shape}; take gan.space=w+, "
                "or method.per_layer=false for directions of w"
            )
        return array if self.num_paths is None else array[: self.num_paths]
