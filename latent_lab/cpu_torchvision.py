"""Lets torchvision be imported beside a CPU build of torch.

PyPI's torchvision is linked against CUDA. Beside a CPU torch its library does not load, and importing torchvision
(hence lightning, torchmetrics and lpips) fails for want of two operators' schemas. Declaring these is all that the
import needs; real ``nms`` and torchvision's own codecs stay missing, and nothing here uses them. Where the library
loads, this does nothing.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch


def declare_missing_operators() -> None:
    """Must be called before lightning, torchmetrics or lpips are imported."""
    spec = find_spec("torchvision")
    if spec is None or hasattr(torch.ops.torchvision, "nms"):
        return
    library = next(Path(spec.origin).parent.glob("_C*.so"), None)
    try:
        if library is not None:
            torch.ops.load_library(str(library))
            return
    except OSError:
        pass
    # the schemas live as long as the library object: keep it on the module
    global _SCHEMAS
    _SCHEMAS = torch.library.Library("torchvision", "DEF")
    _SCHEMAS.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _SCHEMAS.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


declare_missing_operators()
