"""The logger of W&B, which decides before it starts whether it is online."""

from __future__ import annotations

import inspect
import os
import socket
import threading
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import wandb
from pytorch_lightning.loggers import WandbLogger

MODES = ("online", "offline", "disabled", "dryrun", "shared")


def is_reachable(address: str, timeout: float = 2.0) -> bool:
    """Tell whether a server, or the proxy before it, takes a connection in time.

    Arguments:
        address: Address of the server.
        timeout: Seconds; the look-up of its name takes no longer either.
    """
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
    """Tell whether a key of W&B is on this machine."""
    return bool(os.environ.get("WANDB_API_KEY")) or Path(os.environ.get("NETRC", "~/.netrc")).expanduser().exists()


def wandb_offline(timeout: float = 2.0) -> bool:
    """Tell whether W&B must log to disk.

    ``WANDB_MODE`` decides if it is set; else a login and an answer from the server are needed.

    Raises:
        ValueError: if ``WANDB_MODE`` is ``online`` without a login or an answer, for which W&B would try for minutes.
    """
    mode = os.environ.get("WANDB_MODE")
    server = os.environ.get("WANDB_BASE_URL") or wandb.Settings().base_url
    if mode and mode not in MODES:
        raise ValueError(f"WANDB_MODE must be one of {list(MODES)}, got {mode!r}")
    if mode == "online":
        if not is_reachable(server, timeout):
            raise ValueError(f"WANDB_MODE=online, but {server} does not answer; set WANDB_MODE=offline, or logger=csv")
        if not has_login():
            raise ValueError(
                "WANDB_MODE=online, but there is no login: run wandb login, or set WANDB_MODE=offline, or logger=csv"
            )
    if mode:
        return mode != "online"
    if not has_login() or not is_reachable(server, timeout):
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
        project, group, name, entity, notes: Names of the run in W&B, and its place there.
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
        **options: Any,
    ) -> None:
        own = {"save_dir", "dir", "offline", "settings", "experiment", "kwargs", "mode"}
        known = {*inspect.signature(WandbLogger).parameters, *inspect.signature(wandb.init).parameters} - own
        if unknown := sorted(options.keys() - known):
            raise ValueError(f"logger.wandb must have options among {sorted(known)}, got {unknown}")
        os.environ.setdefault("WANDB_SILENT", "true")
        settings = wandb.Settings(console="off", init_timeout=20)
        options |= {"group": group, "name": name, "entity": entity, "notes": notes}
        super().__init__(save_dir=save_dir, project=project, offline=wandb_offline(), settings=settings, **options)
        self._wandb_init.pop("anonymous", None)  # W&B warns of it, and Lightning gives it always
