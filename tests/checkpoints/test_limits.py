"""A file of n bytes is read in a time and a memory of a few times n, or refused in one line."""

from __future__ import annotations

import os
import resource
import select
import signal
import time

import pytest
import torch

from latent_lab.gans.stylegan3 import StyleGAN3
from tests.checkpoints.attacks_of_sizes import ATTACKS  # and those of pickles

pytestmark = pytest.mark.slow


SECONDS, BYTES = 20, 2**30


def virtual_size() -> int:
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def outcome(read) -> str:
    """What a reader says in a process that has little time and memory: the error's class and text, or how it ended
    otherwise."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        said = "nothing"
        try:
            torch.set_num_threads(1)
            resource.setrlimit(resource.RLIMIT_AS, (virtual_size() + BYTES,) * 2)
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            said = f"no error: {type(read()).__name__}"
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        finally:
            os.write(into, said.encode("utf-8", "backslashreplace")[:60_000])
            os._exit(0)
    os.close(into)
    try:
        ready, _, _ = select.select([out], [], [], 3 * SECONDS)  # the pipe also becomes readable when the process dies
        if not ready:
            os.kill(child, signal.SIGKILL)
        said = os.read(out, 2**16).decode() if ready else "it waits for ever"
    finally:
        os.close(out)
        _, status = os.waitpid(child, 0)
    return said or f"ended by signal {os.WTERMSIG(status)}"


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """What torch loads when a module is first built without memory, which is no part of any attack."""
    with torch.device("meta"):
        StyleGAN3(8, 8, resolution=32, layers=5, channel_base=64, channel_max=4)
        torch.randn(2, 2) @ torch.rand(2, 2) + torch.eye(2)


class TestAttacks:
    @pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
    @pytest.mark.parametrize("name", ATTACKS)
    def test_it_is_refused_in_one_line(self, name, tmp_path):
        read = ATTACKS[name](tmp_path)
        start = time.monotonic()
        said = outcome(read)
        assert said.startswith("ValueError: "), said[:300]
        assert said.isprintable() and len(said) < 500, said[:600]
        # it is refused for what it asks for, and not because there was nothing left
        assert "memory" not in said.lower() and "allocate" not in said and not said.strip().endswith(":"), said
        assert time.monotonic() - start < 2 * SECONDS
