"""Every operator of tfjs graph models against its definition."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from latent_lab.graphs.tfjs import GraphModel
from latent_lab.graphs.tfjs_operators import OPERATORS, same_padding
from tests.graphs.graphs import IMAGE, numbers, write_graph


def run(folder: Path, op: str, x: torch.Tensor, weights: dict | None = None, first: tuple = (), **attr) -> torch.Tensor:
    """One operator on the input and on constants; ``first`` names those that come before the input."""
    names = [*first, "x", *(name for name in weights or {} if name not in first)]
    model = GraphModel(write_graph(folder, [("y", op, names, attr)], weights or {}, tuple(x.shape[1:])), ["y"])
    return model(x)[0]


def windows(x: np.ndarray, size, stride, padding: str):
    """By the definition: an output's position, its window's rows and columns inside the image, and where in the window
    these lie."""
    out = [math.ceil(n / s) if padding == "SAME" else (n - k) // s + 1 for n, k, s in zip(x.shape[1:3], size, stride)]
    before = [
        max((o - 1) * s + k - n, 0) // 2 if padding == "SAME" else 0
        for o, s, k, n in zip(out, stride, size, x.shape[1:3])
    ]
    for i in range(out[0]):
        for j in range(out[1]):
            rows = [(r, i * stride[0] - before[0] + r) for r in range(size[0])]
            columns = [(c, j * stride[1] - before[1] + c) for c in range(size[1])]
            inside = (
                [(r, at) for r, at in rows if 0 <= at < x.shape[1]],
                [(c, at) for c, at in columns if 0 <= at < x.shape[2]],
            )
            yield out, (i, j), inside


def convolved(x: np.ndarray, weight: np.ndarray, stride, padding: str) -> np.ndarray:
    result = None
    for out, (i, j), (rows, columns) in windows(x, weight.shape[:2], stride, padding):
        result = np.zeros((len(x), *out, weight.shape[3])) if result is None else result
        for r, at in rows:
            for c, where in columns:
                result[:, i, j] += x[:, at, where] @ weight[r, c]
    return result


def pooled(x: np.ndarray, size, stride, padding: str, reduce) -> np.ndarray:
    result = None
    for out, (i, j), (rows, columns) in windows(x, size, stride, padding):
        result = np.zeros((len(x), *out, x.shape[3])) if result is None else result
        result[:, i, j] = reduce(x[:, [at for _, at in rows]][:, :, [at for _, at in columns]], (1, 2))
    return result


@pytest.mark.parametrize(
    "size, window, stride, expected", [(6, 3, 2, (0, 1)), (5, 3, 2, (1, 1)), (5, 2, 1, (0, 1)), (7, 1, 2, (0, 0))]
)
def test_the_odd_pixel_of_same_padding_comes_after(size, window, stride, expected):
    assert same_padding(size, window, stride) == expected


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("window", [(3, 3), (1, 1), (2, 3)])
@pytest.mark.parametrize("depthwise", [False, True])
def test_convolutions(tmp_path, padding, stride, window, depthwise):
    x, step = numbers(2, *IMAGE), [1, stride, stride, 1]
    attr = {"strides": step, "padding": padding, "data_format": "NHWC", "dilations": [1, 1, 1, 1]}
    if depthwise:
        weight = numbers(*window, 3, 2, seed=1)
        whole = np.zeros((*window, 3, 6), np.float32)  # output c * 2 + m reads the channel c alone
        for channel in range(3):
            whole[:, :, channel, 2 * channel : 2 * channel + 2] = weight[:, :, channel]
        found = run(tmp_path, "DepthwiseConv2dNative", torch.from_numpy(x), {"w": weight}, **attr)
    else:
        whole = weight = numbers(*window, 3, 4, seed=1)
        found = run(tmp_path, "Conv2D", torch.from_numpy(x), {"w": weight}, **attr)
    np.testing.assert_allclose(found, convolved(x, whole, step[1:3], padding), atol=1e-5)


def test_a_dilated_convolution_has_holes(tmp_path):
    x, weight = numbers(1, *IMAGE), numbers(2, 2, 3, 1, seed=1)
    sparse = np.zeros((3, 3, 3, 1), np.float32)
    sparse[::2, ::2] = weight
    found = run(
        tmp_path,
        "Conv2D",
        torch.from_numpy(x),
        {"w": weight},
        strides=[1, 1, 1, 1],
        padding="SAME",
        dilations=[1, 2, 2, 1],
    )
    np.testing.assert_allclose(found, convolved(x, sparse, (1, 1), "SAME"), atol=1e-5)


@pytest.mark.parametrize("padding, size", [("SAME", (6, 5)), ("VALID", (7, 7)), ("VALID", (8, 7))])
@pytest.mark.parametrize("window", [2, 3])
def test_a_transposed_convolution_is_the_gradient_of_a_convolution(tmp_path, padding, size, window):
    weight, step = numbers(window, window, 4, 3, seed=1), [1, 2, 2, 1]
    image = numbers(2, *size, 4)
    x = numbers(*convolved(image, weight, (2, 2), padding).shape, seed=2)
    constants = {"size": np.array([1, *size, 4], np.int32), "w": weight}
    found = run(
        tmp_path,
        "Conv2DBackpropInput",
        torch.from_numpy(x),
        constants,
        first=("size", "w"),
        strides=step,
        padding=padding,
    )
    assert found.shape == image.shape
    # <conv(image), x> = <image, gradient>
    assert (convolved(image, weight, (2, 2), padding) * x).sum() == pytest.approx(
        (image * found.numpy()).sum(), rel=1e-4, abs=1e-3
    )


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("window, stride", [(2, 2), (3, 2), (3, 1)])
@pytest.mark.parametrize("op, reduce", [("MaxPool", np.max), ("AvgPool", np.mean)])
def test_pooling_does_not_count_the_padding(tmp_path, op, reduce, window, stride, padding):
    x = numbers(2, *IMAGE) - 5  # a padding of 0 would be the largest
    found = run(
        tmp_path, op, torch.from_numpy(x), ksize=[1, window, window, 1], strides=[1, stride, stride, 1], padding=padding
    )
    np.testing.assert_allclose(found, pooled(x, (window,) * 2, (stride,) * 2, padding, reduce), atol=1e-5)


X = numbers(2, *IMAGE)
BIAS = numbers(3, seed=3)
ELEMENTWISE = {
    "Add": X + BIAS,
    "AddV2": X + BIAS,
    "AddN": X + BIAS,
    "BiasAdd": X + BIAS,
    "Mul": X * BIAS,
    "Sub": X - BIAS,
    "RealDiv": X / BIAS,
    "Maximum": np.maximum(X, BIAS),
    "Minimum": np.minimum(X, BIAS),
    "Prelu": np.where(X > 0, X, BIAS * X),
    "Relu": np.maximum(X, 0),
    "Relu6": np.clip(X, 0, 6),
    "Sigmoid": 1 / (1 + np.exp(-X)),
    "Tanh": np.tanh(X),
    "Identity": X,
    "Softmax": np.exp(X) / np.exp(X).sum(-1, keepdims=True),
}
TWO = ("Add", "AddV2", "AddN", "BiasAdd", "Mul", "Sub", "RealDiv", "Maximum", "Minimum", "Prelu")


@pytest.mark.parametrize("op", ELEMENTWISE)
def test_elementwise_operators(tmp_path, op):
    found = run(tmp_path, op, torch.from_numpy(X), {"b": BIAS} if op in TWO else None)
    np.testing.assert_allclose(found, ELEMENTWISE[op], atol=1e-5)


def test_relu6_ends_at_six(tmp_path):
    assert run(tmp_path, "Relu6", torch.full((1, 1, 1, 1), 9.0)).item() == 6


SHAPED = {
    "Pad": (
        {"p": np.array([[0, 0], [1, 2], [0, 3], [0, 1]], np.int32)},
        {},
        np.pad(X, [(0, 0), (1, 2), (0, 3), (0, 1)]),
    ),
    "Mean": ({"axes": np.array([1, 2], np.int32)}, {"keep_dims": False}, X.mean((1, 2))),
    "Reshape": ({"shape": np.array([-1, 90], np.int32)}, {}, X.reshape(2, 90)),
    "ExpandDims": ({"axis": np.array(-1, np.int32)}, {}, X[..., None]),
    "StridedSlice": (
        {
            name: np.array(values, np.int32)
            for name, values in (("begin", [0, 2, 1]), ("end", [0, 3, 5]), ("by", [1, 1, 2]))
        },
        {"begin_mask": 1, "end_mask": 1, "shrink_axis_mask": 2, "ellipsis_mask": 0, "new_axis_mask": 0},
        X[:, 2, 1:5:2],
    ),
}


@pytest.mark.parametrize("op", SHAPED)
def test_operators_that_change_the_shape(tmp_path, op):
    constants, attr, expected = SHAPED[op]
    found = run(tmp_path, op, torch.from_numpy(X), constants, **attr)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_mean_keeps_its_axes_if_asked(tmp_path):
    found = run(tmp_path, "Mean", torch.from_numpy(X), {"axes": np.array(2, np.int32)}, keep_dims=True)
    np.testing.assert_allclose(found, X.mean(2, keepdims=True), atol=1e-6)


@pytest.mark.parametrize("corners", [True, False])
def test_resizing_interpolates_between_centres_or_corners(tmp_path, corners):
    ramp = torch.arange(3.0).reshape(1, 1, 3, 1)
    attr = {"align_corners": corners, "half_pixel_centers": not corners}
    found = run(tmp_path, "ResizeBilinear", ramp, {"size": np.array([1, 6], np.int32)}, **attr).flatten()
    expected = [0, 0.4, 0.8, 1.2, 1.6, 2.0] if corners else [0, 0.25, 0.75, 1.25, 1.75, 2.0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("transpose_a, transpose_b", [(False, False), (True, True)])
def test_matrix_products(tmp_path, transpose_a, transpose_b):
    flat, weight = X.reshape(2, 90), numbers(90, 4, seed=1)
    shape = np.array([-1, 90], np.int32)
    nodes = [("flat", "Reshape", ["x", "shape"], {})]
    if transpose_a:  # of the constant, so that the batch stays in front
        nodes += [("y", "MatMul", ["w", "flat"], {"transpose_a": True, "transpose_b": True})]
    else:
        nodes += [("y", "MatMul", ["flat", "w"], {"transpose_a": False, "transpose_b": False})]
    model = GraphModel(write_graph(tmp_path, nodes, {"shape": shape, "w": weight}), ["y"])
    expected = flat @ weight
    np.testing.assert_allclose(
        model(torch.from_numpy(X))[0], expected.T if transpose_a else expected, rtol=1e-4, atol=1e-4
    )


def test_fused_operators_are_their_parts_in_turn(tmp_path):
    weight, bias, slope = numbers(3, 3, 3, 4, seed=1), numbers(4, seed=2), numbers(4, seed=4)
    attr = {"strides": [1, 2, 2, 1], "padding": "SAME"}
    constants = {"w": weight, "b": bias, "s": slope}
    found = run(tmp_path, "_FusedConv2D", torch.from_numpy(X), constants, fused_ops=["BiasAdd", "Prelu"], **attr)
    plain = convolved(X, weight, (2, 2), "SAME") + bias
    np.testing.assert_allclose(found, np.where(plain > 0, plain, slope * plain), atol=1e-5)

    dense, nodes = numbers(90, 4, seed=5), [("flat", "Reshape", ["x", "shape"], {})]
    nodes += [("y", "_FusedMatMul", ["flat", "w", "b"], {"fused_ops": ["BiasAdd", "Relu"]})]
    model = GraphModel(
        write_graph(tmp_path, nodes, {"shape": np.array([-1, 90], np.int32), "w": dense, "b": bias}), ["y"]
    )
    np.testing.assert_allclose(
        model(torch.from_numpy(X))[0], np.maximum(X.reshape(2, 90) @ dense + bias, 0), rtol=1e-4, atol=1e-4
    )


def test_every_operator_is_tested_here():
    rest = {"Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MaxPool", "AvgPool", "ResizeBilinear", "MatMul"}
    assert set(OPERATORS) == {*ELEMENTWISE, *SHAPED, *rest, "_FusedConv2D", "_FusedMatMul"}


def test_channels_last_and_nhwc_are_the_same_memory(tmp_path):
    """The convolution's permutations are views: what goes in contiguous comes out contiguous."""
    weight = numbers(3, 3, 3, 8, seed=1)
    found = run(tmp_path, "Conv2D", torch.from_numpy(X), {"w": weight}, strides=[1, 1, 1, 1], padding="SAME")
    expected = F.conv2d(
        torch.from_numpy(X).permute(0, 3, 1, 2), torch.from_numpy(weight).permute(3, 2, 0, 1), padding=1
    )
    torch.testing.assert_close(found, expected.permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5)
    assert found.is_contiguous()
