"""Where weights are: a file of the user's, the cache, the package, or the official address."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

import pooch

from latent_lab.checkpoints.download import Resuming

PACKAGED = Path(__file__).parent.parent / "gans" / "weights"


def home() -> Path:
    """The cache of weights: ``LATENT_LAB_HOME``, by default ``~/.cache/latent_lab``."""
    return Path(os.environ.get("LATENT_LAB_HOME", "~/.cache/latent_lab")).expanduser()


def of_package(package: Mapping[str, object], name: str) -> Path:
    """A file of an installed Python package, which is not imported; its ``files`` must have their ``sha256``."""
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


def locate(weights: str | None, source: Mapping[str, str | None]) -> Path:
    """The file that holds the weights.

    Arguments:
        weights: A file of the user's, which wins over all else, or None.
        source: ``file`` (name), ``url``, ``size``, ``sha256``, ``licence`` and ``hint`` of the named weights; all but
            the name may be None. ``package`` (``name``, ``version``, ``files`` with their sha256, ``install``) where a
            Python package holds it.
    """
    if weights is not None:
        file = Path(weights).expanduser()
        if not file.is_file():
            raise FileNotFoundError(
                f"gan.weights must be a file, null (the named weights) or 'random', got {weights!r}, "
                "which does not exist"
            )
        return file
    if source.get("package"):
        return of_package(source["package"], source["file"])
    for folder in (home(), PACKAGED):
        if (folder / source["file"]).is_file():
            return folder / source["file"]
    expected, url, sha256 = home() / source["file"], source.get("url"), source.get("sha256")
    instruction = (
        f"put the file at {expected} or give gan.weights=<file>"
        + "".join(f"; {name} {source[name]}" for name in ("size", "sha256", "licence") if source.get(name))
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
