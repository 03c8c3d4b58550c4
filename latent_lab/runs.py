"""A run's folder: where everything lies, how it is written safely and read back."""

from __future__ import annotations

import csv
import errno
import importlib
import io
import json
import os
import platform
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from torch import nn

from latent_lab.checkpoints import native
from latent_lab.paths.base import Paths

FORMAT = 1


def write_atomically(file: Path, content: bytes | str) -> None:
    """Writes to a temporary name and renames, so that a file is whole or absent."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(f"no space left for {file}; free some and continue with run=<folder>") from None
        raise


def own_class(target: str, package: str, base: type) -> type:
    """A class of latent_lab by its dotted name. Anything outside ``package`` is refused, not imported."""
    module, _, name = target.rpartition(".")
    if module.startswith(f"latent_lab.{package}.") and all(part.isidentifier() for part in target.split(".")):
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ModuleNotFoundError:
            found = None
        if isinstance(found, type) and issubclass(found, base) and found is not base:
            return found
    raise ValueError(f"{target!r} is not a {base.__name__} of latent_lab.{package}; files cannot name other classes")


def described_paths(description: Mapping) -> Paths:
    """Paths from their description, before their tensors are loaded; those around others hold the description of their ``base``."""
    config = dict(description["config"])
    if "base" in config:
        config["base"] = described_paths(config["base"])
    return own_class(description["class"], "paths", Paths)(**config)


def weight_hash(module: nn.Module) -> str:
    """Hash of all parameters and buffers, which ties paths to the generator that they were found on."""
    import hashlib

    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Run:
    """One fitted method on one generator, with its scores: a folder."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, config: str) -> Run:
        """A new run. A folder that already holds one is never overwritten."""
        if (folder / "config.yaml").exists():
            raise FileExistsError(f"{folder} already holds a run; continue it with run={folder}, or give another hydra.run.dir")
        run = cls(folder)
        run.write("config.yaml", config)
        run.write("environment.json", json.dumps(environment(), indent=1))
        return run

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """A run that exists."""
        if not (Path(folder) / "config.yaml").is_file():
            raise FileNotFoundError(f"run must be a run's folder (with config.yaml), got {str(folder)!r}")
        return cls(Path(folder))

    def write(self, name: str, content: bytes | str) -> Path:
        """Writes a file of the folder, whole or not at all."""
        write_atomically(self.folder / name, content)
        return self.folder / name

    def config(self) -> dict:
        """The resolved configuration, as plain values."""
        return yaml.safe_load((self.folder / "config.yaml").read_text())

    def label(self) -> str:
        """The row of a comparison that the run belongs to."""
        return self.config().get("label") or self.folder.parent.name

    def read_json(self, name: str) -> dict:
        file = self.folder / name
        return json.loads(file.read_text()) if file.exists() else {}

    def has_paths(self) -> bool:
        return (self.folder / "paths.safetensors").exists()

    def save_paths(self, paths: Paths, metadata: Mapping[str, object]) -> None:
        """Writes the discovered paths; they are never rewritten."""
        if self.has_paths():
            raise FileExistsError(f"{self.folder / 'paths.safetensors'} exists; paths are never rewritten")
        described = {"format": FORMAT, **paths.description(), **metadata}
        self.write("paths.safetensors", native.to_bytes(paths.state_dict(), described))

    def load_paths(self) -> tuple[Paths, dict]:
        """The discovered paths and their metadata. Only latent_lab's own classes are built."""
        file = self.folder / "paths.safetensors"
        if not file.is_file():
            raise FileNotFoundError(f"{self.folder} has no paths yet; continue it with run={self.folder}")
        tensors, metadata = native.read(file)
        if metadata.get("format") != FORMAT:
            raise ValueError(f"{file} must have format {FORMAT}, got {metadata.get('format')!r}; it was written by another version")
        paths = described_paths(metadata)
        native.load_into(paths, tensors, file)
        return paths.eval().requires_grad_(False), metadata

    def newest_checkpoint(self) -> tuple[Path | None, list[str]]:
        """The newest whole training state, and a line for each damaged one that was passed over."""
        complaints = []
        for name in ("last.ckpt", "previous.ckpt"):
            file = self.folder / "checkpoints" / name
            if not file.exists():
                continue
            try:
                with zipfile.ZipFile(file) as archive:
                    damaged = archive.testzip()
            except (zipfile.BadZipFile, OSError, EOFError) as error:
                damaged = error
            if damaged is None:
                return file, complaints
            complaints.append(f"{file} is damaged ({damaged}); using the one before")
        return None, complaints

    def keep_checkpoint(self, fresh: Path) -> None:
        """Makes a complete file the last checkpoint, and the last one the previous. At every moment one of them is whole."""
        folder = self.folder / "checkpoints"
        if (folder / "last.ckpt").exists():
            os.replace(folder / "last.ckpt", folder / "previous.ckpt")
        os.replace(fresh, folder / "last.ckpt")

    def log_folder(self) -> Path:
        """A new folder for the logger of this attempt; a resumed run has several."""
        attempts = sorted((self.folder / "logs").glob("*/")) if (self.folder / "logs").exists() else []
        return self.folder / "logs" / str(len(attempts))

    def collect_curves(self) -> dict[str, list[tuple[int, float]]]:
        """Joins the logs of all attempts into ``metrics.csv`` (where two hold a step, the later attempt's) and returns them by name."""
        rows: list[dict[str, str]] = []
        for file in sorted((self.folder / "logs").glob("*/metrics.csv"), key=lambda file: int(file.parent.name)):
            attempt = [row for row in csv.DictReader(io.StringIO(file.read_text())) if row.get("step")]
            if attempt:
                first = min(int(row["step"]) for row in attempt)
                rows = [row for row in rows if int(row["step"]) < first] + attempt
        if not rows:
            return {}
        names = ["step", *sorted({name for row in rows for name in row} - {"step", "epoch"})]
        table = io.StringIO()
        writer = csv.DictWriter(table, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self.write("metrics.csv", table.getvalue())
        return {name: points for name in names[1:] if (points := [(int(row["step"]), float(row[name])) for row in rows if row.get(name)])}


def environment() -> dict[str, object]:
    """What a number depends on besides the configuration: versions, commit, threads, device."""
    from importlib.metadata import PackageNotFoundError, version

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    def git(*arguments: str) -> str | None:
        answer = (
            subprocess.run(["git", "-C", str(Path(__file__).parent), *arguments], capture_output=True, text=True, check=False)
            if Path(__file__).parent.parent.joinpath(".git").exists()
            else None
        )
        return answer.stdout.strip() if answer and answer.returncode == 0 else None

    packages: Sequence[str] = ("latent_lab", "torch", "pytorch-lightning", "torchmetrics", "zuko", "hydra-core", "numpy")
    return {
        "versions": {"python": platform.python_version()} | {name: installed(name) for name in packages},
        "commit": git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(git("status", "--porcelain", "--untracked-files=no")),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or platform.machine(),
    }
