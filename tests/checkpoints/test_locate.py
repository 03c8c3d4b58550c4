"""Where weights are looked for, and what is said when they are nowhere."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from latent_lab.checkpoints import locate as module
from latent_lab.checkpoints.locate import home, locate

SOURCE = {"file": "tiny.safetensors", "url": None, "sha256": None, "hint": "train them: make tiny"}
CONTENT = b"weights"


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch) -> dict[str, Path]:
    """A cache and a package of their own."""
    folders = {name: tmp_path / name for name in ("home", "packaged", "served")}
    for name in ("packaged", "served"):
        folders[name].mkdir()
    monkeypatch.setenv("LATENT_LAB_HOME", str(folders["home"]))
    monkeypatch.setattr(module, "PACKAGED", folders["packaged"])
    return folders


@pytest.fixture
def url(folders, monkeypatch):
    """An address on this machine that serves the file."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (folders["served"] / SOURCE["file"]).write_bytes(CONTENT)
    handler = partial(SimpleHTTPRequestHandler, directory=str(folders["served"]))
    handler.func.log_message = lambda *arguments: None
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{SOURCE['file']}"
        server.shutdown()
        thread.join()


def put(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / SOURCE["file"]).write_bytes(CONTENT)
    return folder / SOURCE["file"]


def test_a_file_wins_over_the_cache_and_the_cache_over_the_package(folders, tmp_path):
    packaged = put(folders["packaged"])
    assert locate(None, SOURCE) == packaged
    cached = put(folders["home"])
    assert locate(None, SOURCE) == cached
    own = tmp_path / "own.safetensors"
    own.touch()
    assert locate(str(own), SOURCE) == own


def test_home_of_the_user(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.setenv("LATENT_LAB_HOME", "~/weights")
    assert home() == Path("/somewhere/weights")
    monkeypatch.delenv("LATENT_LAB_HOME")
    assert home() == Path("/somewhere/.cache/latent_lab")


def test_a_file_that_does_not_exist_is_not_replaced_by_another(folders):
    put(folders["home"])
    with pytest.raises(
        FileNotFoundError, match=r"gan.weights must be a file, null .* or 'random', got 'no/such', which does not exist"
    ):
        locate("no/such", SOURCE)


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:9/tiny.safetensors"])
def test_the_message_says_where_the_file_is_expected(url, folders):
    with pytest.raises(FileNotFoundError) as error:
        locate(None, SOURCE | {"url": url, "sha256": "0" * 64, "size": "1 kB", "licence": "CC0"})
    message = str(error.value)
    for part in (
        str(folders["home"] / "tiny.safetensors"),
        "gan.weights=<file>",
        "size 1 kB; sha256 " + "0" * 64 + "; licence CC0",
        "train them: make tiny",
        url or "not shipped",
    ):
        assert part in message
    assert "\n" not in message


def test_a_download_is_checked_and_kept(url, folders):
    source = SOURCE | {"url": url, "sha256": hashlib.sha256(CONTENT).hexdigest()}
    file = locate(None, source)
    assert file == folders["home"] / SOURCE["file"] and file.read_bytes() == CONTENT
    (folders["served"] / SOURCE["file"]).unlink()
    assert locate(None, source) == file


class Ranged(SimpleHTTPRequestHandler):
    """Serves parts of files, as large hosts do."""

    def do_GET(self):
        content, start = CONTENT, int(self.headers.get("Range", "bytes=0-")[6:-1])
        if start >= len(content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:])

    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize("come", [b"", CONTENT[:3], CONTENT])
@pytest.mark.parametrize("handler", [Ranged, None], ids=["ranges", "whole files"])
def test_a_download_goes_on_where_it_stopped(come, handler, url, folders):
    folders["home"].mkdir()
    part = folders["home"] / f"{SOURCE['file']}.part"
    part.write_bytes(come)
    source = SOURCE | {"url": url, "sha256": hashlib.sha256(CONTENT).hexdigest()}
    if handler is None:
        assert locate(None, source).read_bytes() == CONTENT
    else:
        with HTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                found = locate(None, source | {"url": f"http://127.0.0.1:{server.server_port}/x"})
            finally:
                server.shutdown()
                thread.join()
        assert found.read_bytes() == CONTENT
    assert not part.exists()


@pytest.mark.parametrize("sha256, name", [("0" * 64, SOURCE["file"]), (None, "missing")])
def test_a_wrong_download_is_refused_and_leaves_nothing(url, folders, sha256, name):
    with pytest.raises(FileNotFoundError, match="cannot fetch http://127"):
        locate(None, SOURCE | {"url": url.replace(SOURCE["file"], name), "sha256": sha256})
    assert not list(folders["home"].glob("*"))


def test_a_file_of_a_package_is_checked_and_the_package_never_imported(tmp_path, monkeypatch):
    (tmp_path / "carrier").mkdir()
    (tmp_path / "carrier/__init__.py").write_text("raise AssertionError('imported')")
    (tmp_path / "carrier/numbers.bin").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path)
    package = {
        "name": "carrier",
        "version": "1.0",
        "install": "make it",
        "files": {"numbers.bin": hashlib.sha256(CONTENT).hexdigest()},
    }
    source = SOURCE | {"file": "numbers.bin", "package": package}
    assert locate(None, source) == tmp_path / "carrier/numbers.bin"
    (tmp_path / "carrier/numbers.bin").write_bytes(b"other")
    with pytest.raises(ValueError, match=r"numbers.bin is not that of carrier==1.0 \(sha256 .*\); run make it"):
        locate(None, source)
    with pytest.raises(FileNotFoundError, match="the package nowhere==1.0 is not installed; run make it"):
        locate(None, source | {"package": package | {"name": "nowhere"}})
