"""The folder of an inversion: the results for each picture, and their codes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from latent_lab.checkpoints import native
from latent_lab.csv_files import csv_text, escape_cell
from latent_lab.editing.inverted_files import require_generator, require_picture
from latent_lab.gans.base import Generator
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.base import Inverted
from latent_lab.inversion.optimisation.pti import tuned_space
from latent_lab.loading import load_space, read_run_config
from latent_lab.names import require_file_name
from latent_lab.runs import Run, hash_weights

FORMAT = 1


@dataclass(frozen=True)
class Inversions:
    """The codes of pictures on one generator, in a folder that ``python -m latent_lab.invert`` made.

    Arguments:
        run: The folder with ``config.yaml``, and for each picture ``images/<name>.safetensors``.
    """

    run: Run

    @classmethod
    def open(cls, folder: str | Path, weights: str | None = None) -> Inversions:
        """Open an existing inversion, see :meth:`Run.open`."""
        found = cls(Run.open(folder, weights))
        if "inverter" not in found.run.read_config():
            raise ValueError(
                f"source must be the folder of an inversion, got {str(folder)!r}, which holds something else"
            )
        return found

    def file(self, name: str) -> Path:
        """Return the file of a picture's results."""
        return self.run.folder / "images" / f"{name}.safetensors"

    def list_names(self) -> list[str]:
        """Return the names of the pictures that have been inverted. Hidden files are left out."""
        found = sorted(file.stem for file in (self.run.folder / "images").glob("[!.]*.safetensors"))
        return [require_file_name(name, f"each name in {self.run.folder / 'images'}") for name in found]

    def read(self, name: str) -> tuple[dict[str, Tensor], dict]:
        """Return all tensors of a picture, and what is known of it: ``space``, ``generator``, ``picture``, ``scores``
        and so on.

        Raises:
            ValueError: There is no such picture, or its file is damaged or was written by something else.
        """
        if not self.file(name).is_file():
            raise ValueError(f"{self.run.folder} holds inversions of {self.list_names()}, got {name!r}")
        tensors, about = native.read(self.file(name))
        if about.get("format") != FORMAT or "latents" not in tensors:
            raise ValueError(
                f"{self.file(name)} must be an inversion of format {FORMAT}, got {str(about.get('format'))[:40]!r}"
            )
        require_picture(tensors, about, self.file(name))
        return tensors, about

    def space(self) -> LatentSpace:
        """Return the space of the codes, on the generator that they were found on. Only latent_lab's own classes are
        built."""
        names = self.list_names()
        if not names:
            raise FileNotFoundError(f"{self.run.folder} has no inversions yet; continue it with run={self.run.folder}")
        config, about = read_run_config(self.run), self.read(names[0])[1]
        gan = config["gan"] | {"truncation": 1.0}
        generator = load_space(gan | {"space": None}, config["seed"]).generator
        found = hash_weights(generator)
        if found != about["generator"]:
            raise ValueError(
                f"{self.run.folder} was made on a generator with hash {about['generator'][:12]}, "
                f"but gan.weights has {found[:12]}; give weights=<file>"
            )
        self.read_for(generator, names[0])
        return generator.space(about["space"])  # as inversion asked for it, whatever samples of the run are

    def read_for(self, generator: Generator, name: str) -> tuple[dict[str, Tensor], dict]:
        """Read a picture as :meth:`read` does, for one generator.

        Raises:
            ValueError: The picture is not of this generator and of the folder's space, or its shapes are not.
        """
        tensors, about = self.read(name)
        require_generator(tensors, about, generator, self.file(name))
        first = self.list_names()[0]
        common = about if name == first else self.read(first)[1]
        if any(about[key] != common[key] for key in ("space", "generator")):
            raise ValueError(
                f"{self.file(name)} must be of the space and generator of {first}, {common['space']}, "
                f"got {about['space']}"
            )
        return tensors, about

    def codes(self, names: str | Sequence[str]) -> Codes:
        """Return the codes of one or several pictures, N first."""
        found = [self.read(name)[0] for name in ([names] if isinstance(names, str) else names)]
        given = sorted(key.removeprefix("given.") for key in found[0] if key.startswith("given."))
        if any({key for key in one if key.startswith("given.")} != {f"given.{key}" for key in given} for one in found):
            raise ValueError(
                f"codes must be of pictures that were inverted alike, got {list(names)}, whose conditions differ"
            )
        for key in ("latents", *(f"given.{key}" for key in given)):
            if len({one[key].shape for one in found}) > 1:
                raise ValueError(
                    f"codes must be of pictures that were inverted alike, got {list(names)}, "
                    f"whose shapes of {key} differ"
                )
        return Codes(
            torch.stack([one["latents"] for one in found]),
            {key: torch.stack([one[f"given.{key}"] for one in found]) for key in given},
        )

    def read_tuned(self, name: str) -> dict[str, Tensor]:
        """Return the changes of the generator's parameters for a picture, by their names; empty where the generator
        stayed as it was."""
        return tuned_tensors(self.read(name)[0])

    def tuned_space(self, space: LatentSpace, name: str) -> LatentSpace:
        """Return the space with the generator as it was tuned for a picture: a copy, or the space itself where nothing
        was tuned.

        Raises:
            ValueError: The picture is of another generator.
        """
        return tuned_space(space, tuned_tensors(self.read_for(space.generator, name)[0]))

    @staticmethod
    def tuned_of(space: LatentSpace, inverted: Inverted, i: int) -> LatentSpace:
        """Return the space as it was tuned for picture ``i`` of a batch."""
        return tuned_space(space, {name: value[i] for name, value in inverted.tuned.items()})

    def target(self, name: str) -> Tensor:
        """Return the picture that was inverted, as the inverter saw it, with shape :math:`(C, H, W)` in [-1, 1]."""
        return self.read(name)[0]["target"].float() / 127.5 - 1

    def write(self, name: str, inverted: Inverted, i: int, target: Tensor, about: dict) -> None:
        """Write the results for picture ``i`` of a batch.

        Arguments:
            name: Name of the picture.
            inverted: The results of the batch.
            i: Number of the picture in the batch.
            target: The picture, with shape :math:`(C, H, W)`, uint8.
            about: Plain values about the picture, with ``space`` and ``generator``.
        """
        parts = {"given": inverted.codes.given, "tuned": inverted.tuned}
        tensors = {f"{part}.{key}": value[i] for part, values in parts.items() for key, value in values.items()}
        tensors |= {f"curves.{key}": values[:, i] for key, values in inverted.curves.items()}
        tensors |= {"latents": inverted.codes.latents[i], "target": target}
        self.run.write(f"images/{name}.safetensors", native.to_bytes(tensors, {"format": FORMAT, **about}))

    def scores(self) -> dict[str, dict[str, float]]:
        """Return the scores of all pictures, from their own files."""
        return {name: self.read(name)[1]["scores"] for name in self.list_names()}

    def write_scores(self, failed: dict[str, str]) -> dict[str, dict[str, float]]:
        """Write ``scores.json`` and ``scores.csv`` of all pictures, from their own files. Return the scores by
        picture."""
        scores = self.scores()
        columns = list(dict.fromkeys(key for row in scores.values() for key in row))
        mean = {
            key: sum(row[key] for row in rows) / len(rows)
            for key in columns
            if (rows := [row for row in scores.values() if key in row])
        }
        self.run.write("scores.json", json.dumps({"mean": mean, "pictures": scores, "failed": failed}, indent=1))
        rows = [
            [escape_cell(name), *(f"{row[key]:.6g}" if key in row else "" for key in columns)]
            for name, row in scores.items()
        ]
        self.run.write("scores.csv", csv_text([["picture", *map(escape_cell, columns)], *rows]))
        return scores


def tuned_tensors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tuned parameters among the tensors of a file, by the names of the generator's parameters."""
    return {key.removeprefix("tuned."): value for key, value in tensors.items() if key.startswith("tuned.")}
