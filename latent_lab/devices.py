"""Where networks compute: everything that takes part in a computation is put on one device, in one place."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
from torch import nn


def put_on(device: torch.device | str, *parts: object) -> None:
    """Move all networks to a device.

    Arguments:
        device: The device.
        parts: Networks, or what holds some: objects by their attributes, lists, dictionaries, and the arguments of
            ``functools.partial``. None is left out.
    """
    seen: dict[int, object] = {}
    waiting = list(parts)
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, str | bytes | type | torch.Tensor):
            continue
        seen[id(part)] = part
        if isinstance(part, nn.Module):
            part.to(device)
        elif isinstance(part, functools.partial):
            waiting += [*part.args, *part.keywords.values()]
        elif isinstance(part, Mapping):
            waiting += part.values()
        elif isinstance(part, list | tuple | set | frozenset):
            waiting += part
        elif isinstance(getattr(part, "__dict__", None), dict):
            waiting += vars(part).values()
