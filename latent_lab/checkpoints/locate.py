"""Where weights are: a file of the user's, the cache, the package, or the official address."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pooch

from latent_lab.checkpoints.download import Resuming

PACKAGED = Path(__file__).parent.parent / "gans" / "weights"


def home() -> Path:
    """The cache of weights: ``LATENT_LAB_HOME``, by default ``~/.cache/latent_lab``."""
    return Path(os.environ.get("LATENT_LAB_HOME", "~/.cache/latent_lab")).expanduser()


def locate(weights: str | None, source: Mapping[str, str | None]) -> Path:
    """The file that holds the weights.

    Arguments:
        weights: A file of the user's, which wins over all else, or None.
        source: ``file`` (name), ``url``, ``size``, ``sha256``, ``licence`` and ``hint`` of the named weights; all but the name may be None.
    """
    if weights is not None:
        file = Path(weights).expanduser()
        if not file.is_file():
            raise FileNotFoundError(
                f"gan.weights must be a file, null (the named weights) or 'random', got {weights!r}, which does not exist"
            )
        return file
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
        raise FileNotFoundError(f"gan.weights: {source['file']} is not shipped and has no address to fetch it from; {instruction}")
    try:
        home().mkdir(parents=True, exist_ok=True)
        downloader = Resuming(expected.with_name(f"{expected.name}.part"))
        return Path(pooch.retrieve(url, f"sha256:{sha256}" if sha256 else None, source["file"], home(), downloader=downloader))
    except Exception as error:  # requests, urllib3 and pooch raise a dozen unrelated classes
        raise FileNotFoundError(f"gan.weights: cannot fetch {url} ({str(error).splitlines()[0][:200]}); {instruction}") from None
