"""The logger that must decide something before it starts."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import urlparse

import latent_lab.cpu_torchvision  # noqa: F401  (before lightning)

import wandb
from pytorch_lightning.loggers import WandbLogger


def wandb_offline(timeout: float = 2.0) -> bool:
    """Whether W&B must log to disk: ``WANDB_MODE`` decides if set, else a login and an answer from the server are needed."""
    if os.environ.get("WANDB_MODE"):
        return os.environ["WANDB_MODE"] != "online"
    netrc = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    if not os.environ.get("WANDB_API_KEY") and not netrc.exists():
        return True
    server = urlparse(wandb.Settings().base_url)
    try:
        socket.create_connection((server.hostname, server.port or 443), timeout).close()
        return not wandb.login(prompt=False, verify=False)
    except (OSError, wandb.Error):
        return True


def wandb_logger(save_dir: str, **options) -> WandbLogger:
    """W&B's logger, online or offline as :func:`wandb_offline` finds; it never asks, hangs or fails for want of a network.

    Arguments:
        save_dir: Folder of the local files.
        options: Arguments of Lightning's logger.
    """
    os.environ.setdefault("WANDB_SILENT", "true")
    return WandbLogger(save_dir=save_dir, offline=wandb_offline(), settings=wandb.Settings(console="off", init_timeout=20), **options)
