"""Commands of a checkout, each in a process of its own, forked from one that has loaded the checkout's code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# Every module of the checkout is loaded once, whatever it is called: imports are most of a small run.
SERVER = """
import importlib, json, os, pkgutil, runpy, sys
import latent_lab
answers = os.fdopen(os.dup(1), "w", buffering=1)
for module in pkgutil.walk_packages(latent_lab.__path__, "latent_lab."):
    if "__main__" not in module.name:
        try:
            importlib.import_module(module.name)
        except Exception:  # of an optional package; a command that needs it says so
            pass
print("ready", file=answers)
for line in sys.stdin:
    command, arguments, log = json.loads(line)
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 1), 2)
        sys.argv = [command, *arguments]
        runpy.run_module(command, run_name="__main__", alter_sys=True)
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers)
"""


def start_server(checkout: Path, made: Path) -> subprocess.Popen:
    """Start the process that runs commands with the checkout's code, on the data of the kept folder alone."""
    places = {
        "PYTHONPATH": str(checkout),
        "LATENT_LAB_DATA": str(made / "data"),
        "LATENT_LAB_HOME": str(made / "weights"),
        "TORCH_HOME": str(made / "weights"),
    }
    environment = os.environ | places | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    server = subprocess.Popen([sys.executable, "-c", SERVER], cwd=checkout, env=environment, **pipes)
    if server.stdout.readline().strip() != "ready":
        sys.exit(f"checkout must be a folder whose latent_lab can be loaded, got {checkout}")
    return server
