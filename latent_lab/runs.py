"""The folder of a run: where its files lie, how they are written safely and read back."""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import hashlib
import importlib
import io
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from latent_lab.checkpoints import native
from latent_lab.checkpoints.container import open_tree
from latent_lab.checkpoints.limits import quote
from latent_lab.checkpoints.rebuild import rebuild
from latent_lab.claims import claim, settle
from latent_lab.csv_files import csv_text
from latent_lab.environment import describe_environment
from latent_lab.installation import extensions
from latent_lab.paths.base import Paths
from latent_lab.plain import TABLE, has_form, read_json, read_text, read_yaml
from latent_lab.trust import list_mappings, make_safe, require_inside

FORMAT = 1
FORMS = {  # of the files of a run, as far as anything reads them
    "names.json": {
        str: {
            "path": int,
            "amounts": [float],
            "changes": [float],
            "reachable": [float],
            "deviation?": (float, None),
            "target?": bool,
        },
    },
    "findings.json": {"names?": [str], "response?": {str: {"amounts": [float], "change": [float], "limits": [float]}}},
    "environment.json": {"versions?": {str: (str, None)}},
}


def write_atomically(file: Path, content: bytes | str) -> None:
    """Write a file under a temporary name and rename it, so that it is whole or absent."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{secrets.token_hex(8)}.part")  # a name that is free, however long the file's own is
    try:
        with open(unfinished, "xb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, file)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(error.errno, f"no space left for {file}; free some") from None
        raise


def find_class(target: object, package: str, base: type) -> type:
    """Return a class by its dotted name, of latent_lab's ``package`` or of an installed extension.

    Other classes are refused and not imported.

    Arguments:
        target: The dotted name, as a file gives it.
        package: The package of latent_lab that the class must lie in, such as ``paths``.
        base: The class that it must derive from.

    Raises:
        ValueError: The name is no such class.
    """
    module, _, name = str(target).rpartition(".")
    own = module.startswith((f"latent_lab.{package}.", *(f"{name}." for name in extensions())))
    if own and all(part.isidentifier() for part in str(target).split(".")):
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ModuleNotFoundError:
            found = None
        if isinstance(found, type) and issubclass(found, base) and found is not base:
            return found
    raise ValueError(
        f"{str(target)[:100]!r} is not a {base.__name__} of latent_lab.{package}; files cannot name other classes"
    )


def build_paths(description: Mapping, depth: int = 0) -> Paths:
    """Build paths from their description. Their tensors are loaded afterwards.

    Arguments:
        description: The class and its ``config``. Paths that wrap others hold the description of these as ``base``.
        depth: Number of wrappers around these paths; at most 4 are read.

    Raises:
        ValueError: The description has another form, or names a class that is not one of latent_lab's paths.
    """
    if not has_form(description, {"class": str, "config": dict}) or depth > 4:
        raise ValueError("paths must be described by a class and its config, those around others by few levels of them")
    config = dict(description["config"])
    if "base" in config:
        config["base"] = build_paths(config["base"], depth + 1)
    return find_class(description["class"], "paths", Paths)(**config)


def hash_weights(module: nn.Module) -> str:
    """Return the SHA-256 of all parameters and buffers, which ties paths to the generator that they were found on."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Run:
    """One fitted method on one generator, with its scores: a folder, which may come from a stranger.

    Arguments:
        folder: The run's folder.
        weights: The file of the generator's weights, instead of the one that its configuration names.
    """

    folder: Path
    weights: str | None = None

    @classmethod
    def create(cls, folder: Path, config: str, fixed: bool = True) -> Run:
        """Create the folder of a new run. A folder that already holds a run is never overwritten.

        Arguments:
            folder: Place of the new run.
            config: The text of its ``config.yaml``.
            fixed: Whether it must lie exactly there. Otherwise the next free name is taken.

        Raises:
            FileExistsError: The folder is fixed and holds a run.
        """
        run = cls(claim(folder, fixed))
        run.write("environment.json", json.dumps(describe_environment(), indent=1))
        run.write("config.yaml", config)  # last: with it the folder is a run
        settle(run.folder)
        return run

    @classmethod
    def open(cls, folder: str | Path, weights: str | Path | None = None) -> Run:
        """Open the folder of an existing run. All folders that a user names are opened here.

        What lies in the folder is read as data. Its configuration may name only classes of this installation for the
        parts that they are made for, no addresses, no packages and no files to write
        (:func:`latent_lab.trust.make_safe`), and no link leads out of it.

        Arguments:
            folder: The run's folder.
            weights: The file of the generator's weights where the run's own is elsewhere; its hash must be the run's.

        Raises:
            FileNotFoundError: There is no run.
            ValueError: The folder asks for anything else; one line says what.
        """
        folder = Path(folder).expanduser()
        if "\0" in str(folder) or not (folder / "config.yaml").is_file():
            raise FileNotFoundError(f"run must be a run's folder (with config.yaml), got {str(folder)!r}")
        require_inside(folder)
        if weights is not None:
            weights = Path(weights).expanduser().absolute()
            if not weights.is_file():
                raise FileNotFoundError(
                    f"weights must be a file with the run's generator, got {str(weights)!r}, which is none"
                )
        run = cls(folder, None if weights is None else str(weights))
        run.read_config()
        return run

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file of the folder, whole or not at all, and return its path.

        Raises:
            ValueError: A link would lead the file out of the folder.
        """
        file = self.folder / name
        if not file.parent.resolve().is_relative_to(self.folder.resolve()):
            raise ValueError(f"{file.parent} must lie in the run's folder, got a link to {file.parent.resolve()}")
        write_atomically(file, content)
        return file

    def read_config(self) -> dict:
        """Return the resolved configuration, as plain values that are safe to build from."""
        try:
            config = make_safe(read_yaml(self.folder / "config.yaml"))
        except ValueError as error:
            raise ValueError(f"{self.folder / 'config.yaml'}: {error}") from None
        if self.weights is not None:
            config["gan"]["weights"] = self.weights
        return config

    def read_label(self) -> str:
        """Return the name under which ``compare`` groups this run: its ``label``, else the name of the folder around
        it."""
        return read_yaml(self.folder / "config.yaml").get("label") or self.folder.absolute().parent.name

    def read_command(self) -> str:
        """Return the command line that made the run; empty if it is not known."""
        file = self.folder / "command.txt"
        return read_text(file).strip() if file.is_file() else ""

    def read_json(self, name: str) -> dict:
        """Return the data of a JSON file of the folder; empty if there is no such file.

        Raises:
            ValueError: The file does not have the form that a run's has (:data:`FORMS`).
        """
        file = self.folder / name
        if not file.exists():
            return {}
        found = read_json(file)
        if not has_form(found, FORMS.get(name, dict)):
            raise ValueError(
                f"{file} does not have the form of a run's {name}; evaluate the run again, or delete the file"
            )
        return found

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes out of this block, for a file that is read, changed and written again."""
        with open(self.folder / ".lock", "a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def require_generator(self, found: str) -> None:
        """Check that the generator is the one that the run began with. The first call notes its hash.

        Arguments:
            found: The hash of the generator's weights (:func:`hash_weights`).

        Raises:
            ValueError: The run began with other weights.
        """
        about = self.read_json("environment.json")
        known = about.get("generator")
        if known is None:
            self.write("environment.json", json.dumps(about | {"generator": found}, indent=1))
        elif known != found:
            raise ValueError(
                f"{self.folder} was begun on a generator with hash {str(known)[:12]}, "
                f"but gan.weights has {found[:12]}; give weights=<file>"
            )

    def has_paths(self) -> bool:
        """Tell whether the run has discovered its paths."""
        return (self.folder / "paths.safetensors").exists()

    def save_paths(self, paths: Paths, metadata: Mapping[str, object]) -> None:
        """Write the discovered paths. They are never rewritten."""
        if self.has_paths():
            raise FileExistsError(f"{self.folder / 'paths.safetensors'} exists; paths are never rewritten")
        described = {"format": FORMAT, **paths.description(), **metadata}
        self.write("paths.safetensors", native.to_bytes(paths.state_dict(), described))

    def load_paths(self) -> tuple[Paths, dict]:
        """Return the discovered paths and their metadata. Only classes of latent_lab are built.

        Raises:
            FileNotFoundError: There are no paths yet.
            ValueError: The file is damaged, or of another version.
        """
        file = self.folder / "paths.safetensors"
        if not file.is_file():
            raise FileNotFoundError(f"{self.folder} has no paths yet; continue it with run={self.folder}")
        tensors, metadata = native.read(file)
        if metadata.get("format") != FORMAT:
            raise ValueError(
                f"{file} must have format {FORMAT}, got {quote(metadata.get('format'))}; "
                "it was written by another version"
            )
        if not has_form(metadata, {"generator": str, "space": str}):
            raise ValueError(f"{file} must say which generator and space its paths are of")
        return rebuild(lambda: build_paths(metadata), tensors, file), metadata

    def newest_checkpoint(self) -> tuple[Path | None, list[str]]:
        """Find the newest whole training state of this run. Return it with a line for each damaged or foreign one
        passed over."""
        complaints = []
        for name in ("last.ckpt", "previous.ckpt"):
            file = self.folder / "checkpoints" / name
            if file.exists():
                try:
                    require_state(open_tree(file), self.hash_parts())
                    return file, complaints
                except ValueError as error:
                    complaints.append(
                        f"{file} is damaged or not of this run and is passed over "
                        f"({str(error).removeprefix(str(file)).strip()})"
                    )
        return None, complaints

    def hash_parts(self) -> str:
        """Return a hash of the seed, the generator and the classes of all parts, which a training state is tied to."""
        config = read_yaml(self.folder / "config.yaml")
        parts = [[list(path), node["_target_"]] for path, node in list_mappings(config) if "_target_" in node]
        told = json.dumps([config["seed"], config["gan"]["name"], config["gan"]["generator"], parts], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def keep_checkpoint(self, fresh: Path) -> None:
        """Make a complete file the last checkpoint, and the last one the previous. One of them is whole at every
        moment."""
        folder = self.folder / "checkpoints"
        if (folder / "last.ckpt").exists():
            os.replace(folder / "last.ckpt", folder / "previous.ckpt")
        os.replace(fresh, folder / "last.ckpt")

    def choose_log_folder(self) -> Path:
        """Return a new folder for the logger of this attempt. A resumed run has several."""
        attempts = sorted((self.folder / "logs").glob("*/")) if (self.folder / "logs").exists() else []
        return self.folder / "logs" / str(len(attempts))

    def collect_curves(self) -> dict[str, list[tuple[int, float]]]:
        """Join the logs of all attempts into ``metrics.csv`` and return the curves by name.

        Where two attempts logged the same step, the later one counts.
        """
        rows: list[dict[str, str]] = []
        attempts = [file for file in (self.folder / "logs").glob("*/metrics.csv") if file.parent.name.isdecimal()]
        for file in sorted(attempts, key=lambda file: int(file.parent.name)):
            attempt = read_curves(file)
            if attempt:
                first = min(int(row["step"]) for row in attempt)
                rows = [row for row in rows if int(row["step"]) < first] + attempt
        if not rows:
            return {}
        names = ["step", *sorted({name for row in rows for name in row} - {"step", "epoch"})]
        self.write("metrics.csv", csv_text([names, *([row.get(name) for name in names] for row in rows)]))
        return {
            name: points
            for name in names[1:]
            if (points := [(int(row["step"]), float(row[name])) for row in rows if row.get(name)])
        }


def read_curves(file: Path) -> list[dict[str, str]]:
    """Return the rows of a logger's table, each with a ``step``.

    Raises:
        ValueError: The file is no table of training curves.
    """
    try:
        rows = [row for row in csv.DictReader(io.StringIO(read_text(file, TABLE))) if row.get("step")]
        for row in rows:
            int(row["step"])
            [float(value) for name, value in row.items() if name not in ("step", "epoch") and value]
    except (ValueError, TypeError, csv.Error) as error:
        raise ValueError(f"{file} is no table of training curves ({str(error)[:100]}); delete it") from None
    return rows


def require_state(tree: object, fingerprint: str | None) -> dict[str, Any]:
    """Return the content of a checkpoint if it is a training state of this run.

    Arguments:
        tree: The content.
        fingerprint: The run's :meth:`Run.hash_parts`; None for a state of any run. A state that holds none is accepted.

    Raises:
        ValueError: It is no training state, or that of another run.
    """
    if not has_form(tree, {"state_dict": dict, "optimizer_states": list, "callbacks": dict, "global_step": int}):
        raise ValueError("it is no training state")
    for state in tree["callbacks"].values():
        if fingerprint is not None and isinstance(state, dict) and state.get("run", fingerprint) != fingerprint:
            raise ValueError("it is the state of another run")
    return tree
