"""The logger that must decide something before it starts."""

from __future__ import annotations

import inspect
import os
import socket
import threading
import urllib.request
from pathlib import Path
from urllib.parse import urlparse

import wandb
from pytorch_lightning.loggers import WandbLogger

MODES = ("online", "offline", "disabled", "dryrun", "shared")


def answers(address: str, timeout: float = 2.0) -> bool:
    """Whether a server, or the proxy before it, takes a connection in time; a name that is looked for in vain takes no
    longer."""
    server = urlparse(address)
    if (proxy := urllib.request.getproxies().get(server.scheme)) and not urllib.request.proxy_bypass(
        server.hostname or ""
    ):
        server = urlparse(proxy)
    found: list[bool] = []

    def connect() -> None:
        try:
            socket.create_connection(
                (server.hostname, server.port or (80 if server.scheme == "http" else 443)), timeout
            ).close()
            found.append(True)
        except OSError:
            pass

    attempt = threading.Thread(target=connect, daemon=True)
    attempt.start()
    attempt.join(2 * timeout)
    return bool(found)


def has_login() -> bool:
    """Whether a key of W&B is on this machine."""
    return bool(os.environ.get("WANDB_API_KEY")) or Path(os.environ.get("NETRC", "~/.netrc")).expanduser().exists()


def wandb_offline(timeout: float = 2.0) -> bool:
    """Whether W&B must log to disk: ``WANDB_MODE`` decides if set, else a login and an answer from the server are
    needed.

    With ``WANDB_MODE=online`` and no login or no answer there is an error at once, since W&B would try for minutes.
    """
    mode = os.environ.get("WANDB_MODE")
    server = os.environ.get("WANDB_BASE_URL") or wandb.Settings().base_url
    if mode and mode not in MODES:
        raise ValueError(f"WANDB_MODE must be one of {list(MODES)}, got {mode!r}")
    if mode == "online":
        if not answers(server, timeout):
            raise ValueError(f"WANDB_MODE=online, but {server} does not answer; set WANDB_MODE=offline, or logger=csv")
        if not has_login():
            raise ValueError(
                "WANDB_MODE=online, but there is no login: run wandb login, or set WANDB_MODE=offline, or logger=csv"
            )
    if mode:
        return mode != "online"
    if not has_login() or not answers(server, timeout):
        return True
    try:
        return not wandb.login(prompt=False, verify=False)
    except (OSError, wandb.Error):
        return True


class RunWandbLogger(WandbLogger):
    """W&B's logger, online or offline as :func:`wandb_offline` finds; it never asks, hangs or fails for want of a
    network.

    Arguments:
        save_dir: Folder of the local files, which the run gives.
        project, group, name, entity, notes: What W&B calls the run, and where it shows it.
        options: Other arguments of Lightning's logger, or of ``wandb.init``.
    """

    def __init__(
        self,
        save_dir: str,
        project: str,
        group: str | None = None,
        name: str | None = None,
        entity: str | None = None,
        notes: str | None = None,
        **options,
    ) -> None:
        own = {"save_dir", "dir", "offline", "settings", "experiment", "kwargs", "mode"}
        known = {*inspect.signature(WandbLogger).parameters, *inspect.signature(wandb.init).parameters} - own
        if unknown := sorted(options.keys() - known):
            raise ValueError(f"logger.wandb must have options among {sorted(known)}, got {unknown}")
        os.environ.setdefault("WANDB_SILENT", "true")
        settings = wandb.Settings(console="off", init_timeout=20)
        options |= {"group": group, "name": name, "entity": entity, "notes": notes}
        super().__init__(save_dir=save_dir, project=project, offline=wandb_offline(), settings=settings, **options)
