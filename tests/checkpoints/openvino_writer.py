"""A tiny MobileStyleGAN as OpenVINO's graphs, in the published order and names."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import torch
from torch import Tensor


class Graph:
    """Nodes, edges and numbers, written one after another."""

    def __init__(self) -> None:
        self.root = ElementTree.Element("net", version="10")
        self.layers, self.edges = (
            ElementTree.SubElement(self.root, "layers"),
            ElementTree.SubElement(self.root, "edges"),
        )
        self.content = bytearray()

    def const(self, value: Tensor, name: str = "Constant") -> str:
        number = self.add("Const", name=name)
        raw = value.detach().contiguous().numpy().tobytes()
        shape = ", ".join(map(str, value.shape))
        data = {"element_type": "f32", "shape": shape, "offset": str(len(self.content)), "size": str(len(raw))}
        ElementTree.SubElement(self.layers[-1], "data", data)
        self.content += raw
        return number

    def add(self, kind: str, *inputs: str, name: str = "x") -> str:
        number = str(len(self.layers))
        ElementTree.SubElement(self.layers, "layer", id=number, name=name, type=kind)
        for port, source in enumerate(inputs):
            ElementTree.SubElement(
                self.edges, "edge", {"from-layer": source, "from-port": "0", "to-layer": number, "to-port": str(port)}
            )
        return number

    def modulation(self, style: str, layer, name: str, gain: float | None) -> str:
        scale = gain or 1.0
        at = self.add("MatMul", style, self.const(layer.weight / scale, f"{name}.weight"))
        at = self.add("Reshape", self.add("Add", at, self.const(layer.bias[None] / scale, f"{name}.bias")))
        return at if gain is None else self.add("Multiply", at, self.const(torch.full((1, 1, 1, 1), gain)))

    def save(self, file: Path) -> None:
        file.write_bytes(b"<?xml version='1.0'?>" + ElementTree.tostring(self.root))
        file.with_suffix(".bin").write_bytes(self.content)


def interleaved(x: Tensor) -> Tensor:
    """Bands as the file has them: the averages, then each channel's three differences."""
    groups = len(x) // 4
    return torch.cat([x[:groups], x[groups:].unflatten(0, (3, groups)).transpose(0, 1).flatten(0, 1)])


def write(model, folder: Path) -> Path:
    mapping = Graph()
    x = mapping.add("Parameter")
    for layer in model.mapping.layers:
        x = mapping.add("MatMul", x, mapping.const(layer.weight))
        x = mapping.add("PReLU", mapping.add("Add", x, mapping.add("Reshape", mapping.const(layer.bias))))
    mapping.save(folder / "MappingNetwork.xml")
    g = Graph()
    style, last = g.add("Parameter"), len(model.blocks) - 1
    convs = [("conv1", model.conv1)] + [
        (f"layers.{i}.{p}", getattr(b, p)) for i, b in enumerate(model.blocks) for p in ("conv1", "conv2")
    ]
    x = g.const(model.const[None], "m.input.input")
    for number, (name, conv) in enumerate(convs):
        feeds_bands = number % 2 == 0 and number < len(convs) - 1
        order = interleaved if feeds_bands else (lambda value: value)
        at = g.modulation(style, conv.affine, f"m.{name}.conv.modulation", 0.25)
        if name == "conv1":
            x = g.add("Convolution", g.add("Multiply", at, x), g.const(order(conv.weight)))
        else:
            x = g.add("GroupConvolution", x, g.const(conv.depthwise[:, None, None], f"m.{name}.conv.weight_dw"))
            x = g.add("Convolution", x, g.const(order(conv.weight)[:, :, None, None]))
        x = g.add("Add", x, g.const(conv.noise[None, None]))
        x = g.add("PReLU", g.add("Add", x, g.const(order(conv.bias)[None, :, None, None], f"m.{name}.bias")))
        if feeds_bands:
            up = model.blocks[number // 2].up
            double = torch.nn.Linear(up.in_features, up.out_features)
            double.weight.data, double.bias.data = 2 * interleaved(up.weight), 2 * interleaved(up.bias)
            x = g.add("Multiply", g.modulation(style, double, f"m.layers.{number // 2}.up.modulation", None), x)
    name = f"m.layers.{last}.to_img"
    at = g.modulation(style, model.rgb.affine, f"{name}.conv.modulation", 0.5)
    x = g.add(
        "Convolution",
        g.add("Multiply", at, x),
        g.const(2 * interleaved(model.rgb.weight)[:, :, None, None], f"{name}.conv.weight"),
    )
    g.add("Add", x, g.const(2 * interleaved(model.rgb.bias)[None, :, None, None], f"{name}.bias"))
    g.save(folder / "SynthesisNetwork.xml")
    return folder / "SynthesisNetwork.xml"
