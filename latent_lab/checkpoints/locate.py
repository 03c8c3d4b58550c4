"""The search for weights: a file of the user's, the cache, the package, or the official address."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import pooch

from latent_lab.checkpoints.download import Resuming


class Package(TypedDict):
    """An installed Python package that holds weights.

    Attributes:
        name: Its name in Python.
        version: Its version.
        files: The sha256 of its files, by their paths in it.
        install: The command that installs it.
    """

    name: str
    version: str
    files: Mapping[str, str]
    install: str


class Source(TypedDict, total=False):
    """The place of named weights; all but ``file`` may be None or missing.

    Attributes:
        file: Name of the file.
        url: Official address.
        size: Size, for the message that asks a user to fetch it.
        sha256: Checksum.
        licence: Licence.
        hint: Advice on how to get the file.
        package: The Python package that holds it.
    """

    file: str
    url: str | None
    size: str | None
    sha256: str | None
    licence: str | None
    hint: str | None
    package: Package | None


PACKAGED = Path(__file__).parent.parent / "gans" / "weights"


def home() -> Path:
    """Return the cache of weights: ``LATENT_LAB_HOME``, by default ``~/.cache/latent_lab``."""
    return Path(os.environ.get("LATENT_LAB_HOME", "~/.cache/latent_lab")).expanduser()


def find_in_package(package: Package, name: str) -> Path:
    """Return a file of an installed Python package, which is not imported.

    Arguments:
        package: The package.
        name: Path of the file in it.

    Raises:
        FileNotFoundError: if the package is not installed.
        ValueError: if one of its files is not the named one.
    """
    spec = importlib.util.find_spec(package["name"])
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"the package {package['name']}=={package['version']} is not installed; run {package['install']}"
        )
    folder = Path(spec.origin).parent
    for file, sha256 in package["files"].items():
        found = (
            hashlib.sha256((folder / file).read_bytes()).hexdigest() if (folder / file).is_file() else "no such file"
        )
        if found != sha256:
            wanted = f"{package['name']}=={package['version']}"
            raise ValueError(
                f"{folder / file} is not that of {wanted} (sha256 {sha256}, got {found}); run {package['install']}"
            )
    return folder / name


def locate(weights: str | None, source: Source) -> Path:
    """Return the file that holds the weights; it is downloaded where it has an address.

    Arguments:
        weights: A file of the user's, which wins over all else, or None.
        source: The named weights.

    Raises:
        FileNotFoundError: if it is nowhere; the message says where to put it.
    """
    if weights is not None:
        file = Path(weights).expanduser()
        if not file.is_file():
            raise FileNotFoundError(
                f"gan.weights must be a file, null (the named weights) or 'random', got {weights!r}, "
                "which does not exist"
            )
        return file
    package = source.get("package")
    if package:
        return find_in_package(package, source["file"])
    for folder in (home(), PACKAGED):
        if (folder / source["file"]).is_file():
            return folder / source["file"]
    expected, url, sha256 = home() / source["file"], source.get("url"), source.get("sha256")
    instruction = (
        f"put the file at {expected} or give gan.weights=<file>"
        + "".join(f"; {name} {said}" for name in ("size", "sha256", "licence") if (said := source.get(name)))
        + (f"; {source['hint']}" if source.get("hint") else "")
    )
    if url is None:
        raise FileNotFoundError(
            f"gan.weights: {source['file']} is not shipped and has no address to fetch it from; {instruction}"
        )
    try:
        home().mkdir(parents=True, exist_ok=True)
        downloader = Resuming(expected.with_name(f"{expected.name}.part"))
        return Path(
            pooch.retrieve(url, f"sha256:{sha256}" if sha256 else None, source["file"], home(), downloader=downloader)
        )
    except Exception as error:  # requests, urllib3 and pooch raise a dozen unrelated classes
        raise FileNotFoundError(
            f"gan.weights: cannot fetch {url} ({str(error).splitlines()[0][:200]}); {instruction}"
        ) from None
