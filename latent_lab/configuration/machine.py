"""Checks of options that this machine must fit: its devices, and Lightning's options for them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")
# the others convert the networks, and not what paths are computed in
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed", "32", "16", "bf16", 32, 16)
CLUSTER = ("SLURM_JOB_ID", "MASTER_ADDR", "NODE_RANK", "GROUP_RANK", "LSB_JOBID")  # what Lightning finds other nodes by
STRATEGIES = re.compile(r"auto|single_(device|xla|tpu)|xla(_debug)?|(ddp|fsdp|deepspeed)[a-z0-9_]*")


def require_machine(config: Mapping) -> None:
    """Check that this machine has the devices that the options name.

    Raises:
        ValueError: It has not; one line says what it has.
    """
    if "device" in config:
        require_device(config["device"])
    trainer = config.get("trainer")
    if isinstance(trainer, Mapping) and "_target_" in trainer:
        require_trainer(trainer)


def require_device(name: object) -> None:
    """Check that this machine has a device of that name, e.g. ``cuda:1``.

    Raises:
        ValueError: It has not, or the name is none.
    """
    import torch

    if not isinstance(name, str) or not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", name):
        raise ValueError(f"device must be auto, cpu, cuda, cuda:<number> or mps, got {name!r}")
    if name.startswith("cuda") and int(name.partition(":")[2] or 0) >= (found := count_gpus()):
        raise ValueError(
            f"device must be auto or cpu here, or one of {found} GPUs, got {name!r}"
            if found
            else describe_missing("device", name)
        )
    if name == "mps" and not torch.backends.mps.is_available():
        raise ValueError(describe_missing("device", name))


def describe_missing(key: str, name: object) -> str:
    """Return the error for a device that this machine does not have."""
    return f"{key} must be auto or cpu on this machine, which has no such device that PyTorch can use, got {name!r}"


def count_gpus() -> int:
    """Return the number of GPUs that PyTorch can use."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def require_trainer(trainer: Mapping) -> None:
    """Check the trainer's options for this machine, in one line, before Lightning would refuse them later and at
    length.

    Raises:
        ValueError: An option is not allowed; one line names it.
    """
    accelerator, devices = trainer.get("accelerator", "auto"), trainer.get("devices", "auto")
    if accelerator not in ACCELERATORS:
        raise ValueError(f"trainer.accelerator must be one of {list(ACCELERATORS)}, got {accelerator!r}")
    if accelerator in ("gpu", "cuda") and not count_gpus():
        raise ValueError(describe_missing("trainer.accelerator", accelerator))
    if accelerator in ("mps", "tpu"):
        import torch

        if accelerator == "tpu" or not torch.backends.mps.is_available():
            raise ValueError(describe_missing("trainer.accelerator", accelerator))
    found = (
        count_gpus()
        if accelerator in ("gpu", "cuda") or (accelerator == "auto" and count_gpus())
        else max(os.cpu_count() or 1, 2)
    )
    if isinstance(devices, str) and re.fullmatch(r"-?\d+", devices):
        devices = int(devices)
    indices = (
        isinstance(devices, list) and devices and all(isinstance(one, int) and 0 <= one < found for one in devices)
    )
    if not (devices == "auto" or indices or (type(devices) is int and (devices == -1 or 1 <= devices <= found))):
        raise ValueError(
            f"trainer.devices must be auto or from 1 to {found} on this machine, got {trainer['devices']!r}"
        )
    if devices == -1 and accelerator == "cpu":
        raise ValueError(f"trainer.devices must be auto or from 1 to {found} with trainer.accelerator=cpu, got -1")
    nodes = trainer.get("num_nodes", 1)
    if nodes != 1 and not any(name in os.environ for name in CLUSTER):
        raise ValueError(
            f"trainer.num_nodes must be 1 outside of a cluster's job, which has one of {', '.join(CLUSTER)} set, "
            f"got {nodes!r}"
        )
    if trainer.get("max_epochs") == 0:
        raise ValueError("trainer.max_epochs must be -1 (no limit) or an integer of at least 1, got 0")
    precision = trainer.get("precision")
    if precision is not None and (isinstance(precision, bool) or precision not in PRECISIONS):
        raise ValueError(
            f"trainer.precision must be one of {[name for name in PRECISIONS if '-' in str(name)]}, got {precision!r}"
        )
    strategy = trainer.get("strategy", "auto")
    if not isinstance(strategy, str) or not STRATEGIES.fullmatch(strategy):
        raise ValueError(f"trainer.strategy must be auto, ddp, fsdp or another of Lightning's, got {strategy!r}")
    for name in ("val_check_interval", "limit_train_batches", "limit_val_batches"):
        value = trainer.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"trainer.{name} must be a number or null, got {value!r}")
        if isinstance(value, float) and value > 1:
            raise ValueError(f"trainer.{name} must be an integer (batches) or a share of at most 1.0, got {value!r}")
