"""tfjs graph models as modules: frozen, differentiable, and what of a graph or its files is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from latent_lab.graphs.tfjs import GraphModel
from tests.graphs.graphs import IMAGE, numbers, small_network, write_graph

X = numbers(2, *IMAGE)


def test_a_network_is_frozen_differentiable_and_sees_each_image_alone(tmp_path):
    model = GraphModel(small_network(tmp_path), ["y", "conv"])
    assert not list(model.parameters()) and not model.state_dict() and len(list(model.buffers())) == 2
    images = torch.from_numpy(X).requires_grad_()
    y, conv = model(images)
    assert y.shape == (2, 4) and conv.shape == (2, 3, 3, 4)
    for i in range(2):
        torch.testing.assert_close(model(images[i : i + 1])[0], y[i : i + 1])
    torch.autograd.gradcheck(lambda x: model.double()(x)[0], images.detach().double().requires_grad_())
    y.sum().backward()
    assert images.grad.isfinite().all() and images.grad.abs().max() > 0


def test_half_precision_weights_become_single(tmp_path):
    half, single = tmp_path / "half", tmp_path / "single"
    half.mkdir(), single.mkdir()
    one, other = GraphModel(small_network(half, half=True), ["y"]), GraphModel(small_network(single), ["y"])
    assert (half / "model.bin").stat().st_size < 0.6 * (single / "model.bin").stat().st_size
    assert all(buffer.dtype == torch.float32 for buffer in one.buffers())
    torch.testing.assert_close(one(torch.from_numpy(X))[0], other(torch.from_numpy(X))[0], rtol=0, atol=2e-3)
    assert not torch.equal(one(torch.from_numpy(X))[0], other(torch.from_numpy(X))[0])


CONV = {"strides": [1, 1, 1, 1], "padding": "SAME"}


@pytest.mark.parametrize(
    "node, message",
    [
        (("y", "Where", ["x"], {}), "the operator Where of the node 'y' is not supported"),
        (
            ("y", "_FusedConv2D", ["x", "w", "b"], {**CONV, "fused_ops": ["BiasAdd", "Elu"]}),
            "_FusedConv2D with fused Elu of the node 'y'",
        ),
        (
            ("y", "Conv2D", ["x", "w"], {**CONV, "data_format": "NCHW"}),
            "Conv2D with data_format NCHW of the node 'y' is not supported",
        ),
        (
            ("y", "Conv2D", ["x", "w"], {**CONV, "padding": "EXPLICIT"}),
            "Conv2D with padding EXPLICIT of the node 'y' is not supported",
        ),
        (
            ("y", "StridedSlice", ["x", "i", "i", "i"], {"ellipsis_mask": 1}),
            "StridedSlice with an ellipsis or a new axis",
        ),
        (("y", "ResizeBilinear", ["x", "i"], {"align_corners": False}), "ResizeBilinear without half-pixel centres"),
        (("y", "Relu", ["z"], {}), "the graph has no node 'z'"),
        (("y", "Relu", ["y"], {}), "the graph turns in a circle at 'y'"),
        (("y", "Add", ["w", "w"], {}), "it must have one input, got \\[\\]"),
        (("y", "Conv2D", ["x", "b"], CONV), "is not a tfjs graph model that can be run"),
        (("y", "MaxPool", ["x"], {}), "KeyError: 'ksize'"),
    ],
)
def test_what_cannot_be_computed_is_named_when_the_model_is_loaded(tmp_path, node, message):
    weights = {"w": numbers(3, 3, 3, 4), "b": numbers(4), "i": np.array([1, 1], np.int32)}
    with pytest.raises(ValueError, match=message) as error:
        GraphModel(write_graph(tmp_path, [node], weights), ["y"])
    assert "\n" not in str(error.value) and "model.json" in str(error.value)


def test_the_part_of_a_graph_that_no_one_asks_for_may_be_unknown(tmp_path):
    GraphModel(small_network(tmp_path), ["y"])
    with pytest.raises(ValueError, match="the operator Where of the node 'unused'"):
        GraphModel(small_network(tmp_path), ["y", "unused"])


def edited(file: Path, change) -> None:
    graph = json.loads(file.read_text())
    change(graph)
    file.write_text(json.dumps(graph))


DAMAGE = {
    "shorter weights": (
        lambda file: file.with_suffix(".bin").write_bytes(file.with_suffix(".bin").read_bytes()[:-4]),
        "ends before the weight",
    ),
    "longer weights": (
        lambda file: file.with_suffix(".bin").write_bytes(file.with_suffix(".bin").read_bytes() + b"1234"),
        "the graph describes",
    ),
    "no JSON": (lambda file: file.write_text(file.read_text()[:-9]), "model.json is not"),
    "no text": (lambda file: file.write_bytes(b"\xff\xfe\x00\x01" * 9), "model.json is not"),
    "a list": (lambda file: file.write_text("[]"), "TypeError"),
    "deep": (lambda file: file.write_text("[" * 100000), "RecursionError"),
    "another folder": (
        lambda file: edited(file, lambda g: g["weightsManifest"][0].update(paths=["../model.bin"])),
        "must lie beside the graph",
    ),
    "another type": (
        lambda file: edited(file, lambda g: g["weightsManifest"][0]["weights"][0].update(dtype="string")),
        "type string",
    ),
    "another quantisation": (
        lambda file: edited(
            file, lambda g: g["weightsManifest"][0]["weights"][0].update(quantization={"dtype": "uint8"})
        ),
        "type uint8",
    ),
    "a negative size": (
        lambda file: edited(file, lambda g: g["weightsManifest"][0]["weights"][0].update(shape=[-1, 3, 3, 4])),
        "ends before the weight w",
    ),
    "a huge size": (
        lambda file: edited(file, lambda g: g["weightsManifest"][0]["weights"][0].update(shape=[10**9] * 4)),
        "ends before the weight w",
    ),
    "a missing weight": (
        lambda file: edited(file, lambda g: g["weightsManifest"][0].update(weights=[], paths=[])),
        "KeyError: 'axes'",
    ),
    "a huge input": (
        lambda file: edited(
            file, lambda g: g["modelTopology"]["node"][0]["attr"]["shape"]["shape"]["dim"][1].update(size="99999999")
        ),
        "its input must be an image",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_files_are_refused_in_one_line(tmp_path, damage):
    file = small_network(tmp_path)
    change, message = DAMAGE[damage]
    change(file)
    with pytest.raises(ValueError, match=message) as error:
        GraphModel(file, ["y"])
    assert "\n" not in str(error.value) and str(file) in str(error.value)
