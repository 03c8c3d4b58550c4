"""Edits of a convolution's output, on the way to the image: conditions of a correction, activations of another
image."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

KINDS = ("scale", "shift", "activation", "mask")


def apply_edits(x: Tensor, row: int, given: Mapping[str, Tensor]) -> Tensor:
    r"""Return the output of a convolution with the edits in ``given``.

    .. math:: x' = x (1 + \text{scale}) + \text{shift}, \qquad x'' = x' + \text{mask} (\text{activation} - x')

    Each is absent or named ``<kind>.<row>``; a missing mask is 1.

    Arguments:
        x: The output, with shape :math:`(N, F, h, w)`.
        row: The row of w+ that the convolution reads.
        given: The edits, among the rest of the codes.

    References:
        | High-Fidelity GAN Inversion for Image Attribute Editing (Wang et al., 2022), Section 3.3
        | https://arxiv.org/abs/2109.06590
        | Image2StyleGAN++: How to Edit the Embedded Images? (Abdal et al., 2020), Section 3.3 and 5.6
        | https://arxiv.org/abs/1911.11544
    """
    scale, shift, activation, mask = (given.get(f"{kind}.{row}") for kind in KINDS)
    if scale is not None:
        x = x * (1 + scale)
    if shift is not None:
        x = x + shift
    if activation is not None:
        x = activation.to(x) if mask is None else x + mask * (activation - x)
    return x


def require_edits(given: Mapping[str, Tensor], num: int, maps: Mapping[int, tuple[int, int, int]]) -> None:
    """Raise an error unless every edit in ``given`` is one of a convolution's output, with its shape.

    Arguments:
        given: The edits, among the rest of the codes.
        num: Number N of images.
        maps: Shape :math:`(F, h, w)` of each output that can be edited, by the row that its convolution reads.
    """
    for name, value in given.items():
        kind, _, row = name.partition(".")
        if kind not in KINDS:
            continue
        if not row.isdecimal() or int(row) not in maps:
            raise ValueError(
                f"given must hold {kind}.<row> of a convolution's row, one of {list(maps)} of this generator, "
                f"got {name!r}"
            )
        shape = (num, *maps[int(row)])
        if tuple(value.shape) != shape and (kind != "mask" or tuple(value.shape) != (num, 1, *shape[2:])):
            raise ValueError(
                f"{name} must have the shape {shape}{' or one channel' if kind == 'mask' else ''}, "
                f"got {tuple(value.shape)}"
            )
        if kind == "mask" and f"activation.{row}" not in given:
            raise ValueError(f"{name} needs activation.{row}, of which it says where it counts")
