"""Small tfjs graph models, written by the tests."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np

IMAGE = (6, 5, 3)


def attribute(value) -> dict:
    """A node's attribute as the JSON has it."""
    if isinstance(value, list):
        return {
            "list": {
                "s" if value and isinstance(value[0], str) else "i": [
                    next(iter(attribute(item).values())) for item in value
                ]
            }
        }
    if isinstance(value, str):
        return {"s": base64.b64encode(value.encode()).decode()}
    return {"b": value} if isinstance(value, bool) else {"i": str(value)} if isinstance(value, int) else {"f": value}


def write_graph(folder: Path, nodes, weights=(), shape=IMAGE, half=False) -> Path:
    """A graph with the input ``x``: nodes are (name, op, inputs, attributes), weights arrays by name."""
    described = [
        {
            "name": "x",
            "op": "Placeholder",
            "attr": {"shape": {"shape": {"dim": [{"size": str(n)} for n in (-1, *shape)]}}},
        }
    ]
    described += [{"name": name, "op": "Const", "attr": {"dtype": {"type": "DT_FLOAT"}}} for name in dict(weights)]
    described += [
        {"name": name, "op": op, "input": list(inputs), "attr": {key: attribute(value) for key, value in attr.items()}}
        for name, op, inputs, attr in nodes
    ]
    manifest, content = [], b""
    for name, values in dict(weights).items():
        values = np.asarray(values)
        entry = {"name": name, "shape": list(values.shape), "dtype": "int32" if values.dtype.kind == "i" else "float32"}
        if half and entry["dtype"] == "float32":
            entry["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
        content += values.astype({"int32": "<i4", "float32": "<f2" if half else "<f4"}[entry["dtype"]]).tobytes()
        manifest.append(entry)
    (folder / "model.bin").write_bytes(content)
    graph = {
        "format": "graph-model",
        "modelTopology": {"node": described},
        "weightsManifest": [{"paths": ["model.bin"], "weights": manifest}],
    }
    (folder / "model.json").write_text(json.dumps(graph))
    return folder / "model.json"


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def small_network(folder: Path, **options) -> Path:
    """Three layers, one output besides, and a node that nothing reads."""
    nodes = [
        (
            "conv",
            "_FusedConv2D",
            ["x", "w", "b"],
            {"strides": [1, 2, 2, 1], "padding": "SAME", "fused_ops": ["BiasAdd", "Relu6"]},
        ),
        ("mean", "Mean", ["conv:0", "axes", "^conv"], {"keep_dims": False}),
        ("y", "Sigmoid", ["mean"], {}),
        ("unused", "Where", ["conv"], {}),
    ]
    weights = {"w": numbers(3, 3, 3, 4, seed=1), "b": numbers(4, seed=2), "axes": np.array([1, 2], np.int32)}
    return write_graph(folder, nodes, weights, **options)
