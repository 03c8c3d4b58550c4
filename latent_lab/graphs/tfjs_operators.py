"""The operators of tfjs graph models, on tensors laid out as there: images are :math:`(N, H, W, C)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Attributes = Mapping[str, Any]  # of a node, decoded


def same_padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """Return the zeros before and after an axis so that ``ceil(size / stride)`` windows fit; the odd one comes after.

    Example:
        >>> same_padding(size=6, window=3, stride=2)
        (0, 1)
    """
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def pad_for_window(x: Tensor, window: Sequence[int], attr: Attributes, value: float = 0.0) -> Tensor:
    """Pad images :math:`(N, C, H, W)` as a node asks for.

    Arguments:
        x: The images.
        window: Height and width of the node's windows.
        attr: The node's attributes.
        value: Number to pad with.
    """
    if attr["padding"] == "VALID":
        return x
    (top, bottom), (left, right) = (same_padding(x.shape[2 + i], window[i], attr["strides"][1 + i]) for i in range(2))
    return F.pad(x, (left, right, top, bottom), value=value) if top or bottom or left or right else x


def to_channels_first(x: Tensor) -> Tensor:
    """View :math:`(N, H, W, C)` as :math:`(N, C, H, W)`; torch calls the layout in memory channels_last."""
    return x.permute(0, 3, 1, 2)


def to_channels_last(x: Tensor) -> Tensor:
    """View :math:`(N, C, H, W)` as :math:`(N, H, W, C)`."""
    return x.permute(0, 2, 3, 1)


def convolve(attr: Attributes, x: Tensor, weight: Tensor, groups: int) -> Tensor:
    """Convolve images with weights in torch's order, :math:`(D, C / G, h, w)` for G groups."""
    dilation = attr.get("dilations", [1, 1, 1, 1])[1:3]
    window = [(size - 1) * step + 1 for size, step in zip(weight.shape[2:], dilation)]
    x = pad_for_window(to_channels_first(x), window, attr)
    return to_channels_last(F.conv2d(x, weight, stride=attr["strides"][1:3], dilation=dilation, groups=groups))


def convolution(attr: Attributes, x: Tensor, weight: Tensor) -> Tensor:
    """Compute ``Conv2D``, with weights :math:`(h, w, C, D)`."""
    if weight.shape[:2] == (1, 1) and attr["strides"][1:3] == [1, 1]:
        return x @ weight[0, 0]  # several times faster than a convolution where torch has one thread
    return convolve(attr, x, weight.permute(3, 2, 0, 1), 1)


def depthwise(attr: Attributes, x: Tensor, weight: Tensor) -> Tensor:
    """Compute ``DepthwiseConv2dNative``, with weights :math:`(h, w, C, M)`: M outputs of each channel, side by side."""
    return convolve(attr, x, weight.permute(2, 3, 0, 1).flatten(0, 1)[:, None], weight.shape[2])


def transposed_convolution(attr: Attributes, size: Tensor, weight: Tensor, x: Tensor) -> Tensor:
    """Compute ``Conv2DBackpropInput``, the gradient of a convolution.

    Arguments:
        attr: The node's attributes.
        size: Size ``(N, H, W, D)`` of the result; N is ignored, for ``x`` has it.
        weight: Weights, with shape :math:`(h, w, D, C)`.
        x: The images.
    """
    stride = attr["strides"][1:3]
    whole = F.conv_transpose2d(to_channels_first(x), weight.permute(3, 2, 0, 1), stride=stride)
    crop: list[int] = []
    for axis, wanted in enumerate(size.tolist()[1:3]):
        before = same_padding(wanted, weight.shape[axis], stride[axis])[0] if attr["padding"] == "SAME" else 0
        crop = [-before, wanted + before - whole.shape[2 + axis], *crop]
    return to_channels_last(F.pad(whole, crop))


def matrix_product(attr: Attributes, x: Tensor, y: Tensor) -> Tensor:
    """Compute ``MatMul``, either matrix transposed if the node asks for it."""
    return (x.T if attr.get("transpose_a") else x) @ (y.T if attr.get("transpose_b") else y)


def prelu(attr: Attributes, x: Tensor, slope: Tensor) -> Tensor:
    """Compute ``Prelu``: numbers below 0 are multiplied by a slope."""
    return torch.where(x > 0, x, slope * x)


def max_pool(attr: Attributes, x: Tensor) -> Tensor:
    """Compute ``MaxPool``."""
    window = attr["ksize"][1:3]
    return to_channels_last(
        F.max_pool2d(pad_for_window(to_channels_first(x), window, attr, -torch.inf), window, attr["strides"][1:3])
    )


def average_pool(attr: Attributes, x: Tensor) -> Tensor:
    """Compute ``AvgPool``; padding does not count in the averages."""
    window, stride = attr["ksize"][1:3], attr["strides"][1:3]
    total, count = (
        F.avg_pool2d(pad_for_window(y, window, attr), window, stride)
        for y in (to_channels_first(x), torch.ones_like(x[:1, :, :, :1].movedim(3, 1)))
    )
    return to_channels_last(total / count)


def pad(attr: Attributes, x: Tensor, amounts: Tensor) -> Tensor:
    """Compute ``Pad``: zeros before and after each axis, with shape :math:`(4, 2)`."""
    return F.pad(x, amounts.flip(0).flatten().tolist())


def mean(attr: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    """Compute ``Mean`` over some axes."""
    return x.mean(axes.flatten().tolist(), keepdim=bool(attr.get("keep_dims")))


def strided_slice(attr: Attributes, x: Tensor, begin: Tensor, end: Tensor, step: Tensor) -> Tensor:
    """Compute ``StridedSlice``; bits of the node's masks open an end of an axis, or drop it."""
    index: list[int | slice] = []
    for axis, (first, last, by) in enumerate(zip(begin.tolist(), end.tolist(), step.tolist())):
        if attr.get("shrink_axis_mask", 0) >> axis & 1:
            index.append(first)
        else:
            open_start, open_end = (attr.get(name, 0) >> axis & 1 for name in ("begin_mask", "end_mask"))
            index.append(slice(None if open_start else first, None if open_end else last, by))
    return x[tuple(index)]


def resize(attr: Attributes, x: Tensor, size: Tensor) -> Tensor:
    """Compute ``ResizeBilinear`` to a height and width."""
    return to_channels_last(
        F.interpolate(
            to_channels_first(x), size.tolist(), mode="bilinear", align_corners=bool(attr.get("align_corners"))
        )
    )


def fuse(first: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return an operator that runs the steps of ``fused_ops`` after a product; some of them take one more input."""

    def run(attr: Attributes, x: Tensor, weight: Tensor, *others: Tensor) -> Tensor:
        x, rest = first(attr, x, weight), list(others)
        for step in attr["fused_ops"]:
            x = OPERATORS[step](attr, x, *([rest.pop(0)] if step in ("BiasAdd", "Prelu") else []))
        return x

    return run


def without_attributes(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return an operator that ignores the attributes of its node."""
    return lambda attr, *inputs: function(*inputs)


OPERATORS: dict[str, Callable[..., Tensor]] = {
    **dict.fromkeys(("Add", "AddV2", "BiasAdd"), without_attributes(torch.add)),
    "AddN": without_attributes(lambda *terms: sum(terms)),
    "AvgPool": average_pool,
    "Conv2D": convolution,
    "Conv2DBackpropInput": transposed_convolution,
    "DepthwiseConv2dNative": depthwise,
    "ExpandDims": without_attributes(lambda x, axis: x.unsqueeze(int(axis))),
    "Identity": without_attributes(lambda x: x),
    "MatMul": matrix_product,
    "Maximum": without_attributes(torch.maximum),
    "MaxPool": max_pool,
    "Mean": mean,
    "Minimum": without_attributes(torch.minimum),
    "Mul": without_attributes(torch.mul),
    "Pad": pad,
    "Prelu": prelu,
    "RealDiv": without_attributes(torch.div),
    "Relu": without_attributes(torch.relu),
    "Relu6": without_attributes(F.relu6),
    "Reshape": without_attributes(lambda x, shape: x.reshape(shape.tolist())),
    "ResizeBilinear": resize,
    "Sigmoid": without_attributes(torch.sigmoid),
    "Softmax": without_attributes(lambda x: x.softmax(-1)),
    "StridedSlice": strided_slice,
    "Sub": without_attributes(torch.sub),
    "Tanh": without_attributes(torch.tanh),
    "_FusedConv2D": fuse(convolution),
    "_FusedMatMul": fuse(matrix_product),
}
FUSED = ("BiasAdd", "Prelu", "Relu", "Relu6", "Sigmoid", "Tanh")


def find_unsupported(op: str, attr: Attributes) -> str | None:
    """Return the part of a node that cannot be computed here; None if all can.

    Example:
        >>> find_unsupported("Erf", {}), find_unsupported("Relu", {})
        ('the operator Erf', None)
    """
    if op not in OPERATORS:
        return f"the operator {op}"
    steps = [step for step in attr.get("fused_ops", []) if step not in FUSED]
    if steps:
        return f"the operator {op} with fused {steps[0]}"
    if attr.get("data_format", "NHWC") not in ("NHWC", ""):
        return f"the operator {op} with data_format {attr['data_format']}"
    if attr.get("padding", "SAME") not in ("SAME", "VALID"):
        return f"the operator {op} with padding {attr['padding']}"
    if op == "StridedSlice" and (attr.get("ellipsis_mask") or attr.get("new_axis_mask")):
        return "the operator StridedSlice with an ellipsis or a new axis"
    if op == "ResizeBilinear" and not (attr.get("align_corners") or attr.get("half_pixel_centers")):
        return "the operator ResizeBilinear without half-pixel centres"
    return None
