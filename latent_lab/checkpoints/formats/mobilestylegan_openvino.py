"""MobileStyleGAN as the package random_face carries it: OpenVINO's graphs of the mapping and of the synthesis, side by
side."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.checkpoints.formats import Description
from latent_lab.checkpoints.openvino import Node

GRAPHS = {"MappingNetwork", "SynthesisNetwork"}


def matches(tree: object) -> bool:
    """Tell whether a checkpoint is in this layout."""
    return isinstance(tree, dict) and GRAPHS <= tree.keys() and all(isinstance(tree[name], dict) for name in GRAPHS)


def read_graph(tree: object, name: str) -> dict[str, Node]:
    """Return one of the file's graphs: its operations by their numbers."""
    if not isinstance(tree, dict):
        raise TypeError(f"graphs must be a dictionary, got a {type(tree).__name__}")
    graph: dict[str, Node] = tree[name]
    return graph


def read_constants(graph: dict[str, Node], kind: str) -> list[Tensor]:
    """Return the first constant that each operation of a kind reads, in the order of the graph."""
    found = [constant_inputs(graph, node) for node in graph.values() if node.kind == kind]
    return [values[0] for values in found if values]


def constant_inputs(graph: dict[str, Node], node: Node) -> list[Tensor]:
    """Return the constants that an operation reads, in order."""
    return [value for at in node.inputs if (value := graph[at].value) is not None]


def read_gains(graph: dict[str, Node]) -> dict[str, float]:
    """Return the factors of the styles at run time, by the names of their modulations."""
    found = {}
    for node in graph.values():
        scalar = constant_inputs(graph, node)
        reshaped = [graph[at] for at in node.inputs if graph[at].kind == "Reshape"]
        if node.kind == "Multiply" and scalar and reshaped and scalar[0].numel() == 1:
            (bias,) = [graph[at].name for at in graph[reshaped[0].inputs[0]].inputs if graph[at].kind == "Const"]
            found[bias.removesuffix(".bias")] = scalar[0].item()
    return found


def convert_mapping(graph: dict[str, Node]) -> dict[str, Tensor]:
    """Return the mapping's tensors, and the mean style of 10,000 samples, which the file does not hold."""
    weights, biases = (
        read_constants(graph, "MatMul"),
        [value for node in graph.values() if (value := node.value) is not None and value.ndim == 1],
    )
    biases = [value for value in biases if value.is_floating_point() and len(value) == len(weights[0])]
    tensors: dict[str, Tensor] = {}
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        tensors |= {f"mapping.layers.{i}.weight": weight, f"mapping.layers.{i}.bias": bias}
    if weights[0].shape[1] > 4 * len(weights[0]):
        raise ValueError(f"its mapping must have layers of one width, got {tuple(weights[0].shape)}")
    z = torch.randn(10_000, weights[0].shape[1], generator=torch.Generator().manual_seed(0))
    z = z * z.square().mean(1, keepdim=True).rsqrt()
    for weight, bias in zip(weights, biases):
        z = F.leaky_relu(z @ weight.mT + bias, 0.2) * math.sqrt(2)
    return tensors | {"mapping.mean": z.mean(0)}  # the file has none


def order_by_band(x: Tensor) -> Tensor:
    """Order channels as the wavelet reads them: all averages, then all of each of the three differences.

    The file interleaves them. The wavelet's gain of 1/2 is applied too.

    Arguments:
        x: Weights or biases with the channels first, 4 for each output.
    """
    groups = len(x) // 4
    # and the wavelet's gain
    return torch.cat([x[:groups], x[groups:].unflatten(0, (groups, 3)).transpose(0, 1).flatten(0, 1)]) / 2


def convert(tree: object) -> Description:
    """Convert random_face's MobileStyleGAN to the layout of latent_lab."""
    graph = read_graph(tree, "SynthesisNetwork")
    own = {node.name: node.value for node in graph.values() if node.value is not None}
    gain = read_gains(graph)
    kernels = read_constants(graph, "Convolution")
    noises = [value[0, 0] for value in read_constants(graph, "Add") if value.ndim == 4 and value.shape[:2] == (1, 1)]
    names = ["conv1", *[f"layers.{i}.{part}" for i in range((len(kernels) - 2) // 2) for part in ("conv1", "conv2")]]

    def affine(name: str) -> tuple[Tensor, Tensor]:
        scale = gain.get(name, 1.0)
        return own[f"{name}.weight"] * scale, own[f"{name}.bias"].flatten() * scale

    tensors = convert_mapping(read_graph(tree, "MappingNetwork")) | {"const": own["m.input.input"][0]}
    for name, kernel, noise in zip(names, kernels[:-1], noises, strict=True):
        ours = name.replace("layers", "blocks")
        tensors[f"{ours}.affine.weight"], tensors[f"{ours}.affine.bias"] = affine(f"m.{name}.conv.modulation")
        tensors |= {f"{ours}.bias": own[f"m.{name}.bias"].flatten(), f"{ours}.noise": noise}
        tensors[f"{ours}.weight"] = kernel if name == "conv1" else kernel[:, :, 0, 0]
        if name != "conv1":
            tensors[f"{ours}.depthwise"] = own[f"m.{name}.conv.weight_dw"][:, 0, 0]
    for i in range(len(names) // 2):  # what feeds a wavelet is put into its order, through the layer before
        before = f"blocks.{i - 1}.conv2" if i else "conv1"
        weight, bias = affine(f"m.layers.{i}.up.modulation")
        tensors |= {f"blocks.{i}.up.weight": order_by_band(weight), f"blocks.{i}.up.bias": order_by_band(bias)}
        for part in ("weight", "bias"):
            tensors[f"{before}.{part}"] = order_by_band(tensors[f"{before}.{part}"]) * 2
    name = f"m.layers.{len(names) // 2 - 1}.to_img"
    tensors["rgb.affine.weight"], tensors["rgb.affine.bias"] = affine(f"{name}.conv.modulation")
    tensors |= {
        "rgb.weight": order_by_band(kernels[-1][:, :, 0, 0]),
        "rgb.bias": order_by_band(own[f"{name}.bias"].flatten()),
    }
    config = {
        **{
            "latent_dim": tensors["mapping.layers.0.weight"].shape[1],
            "style_dim": len(tensors["mapping.layers.0.bias"]),
        },
        **{"widths": [len(kernels[0]), *[len(kernel) for kernel in kernels[1:-1:2]]]},
        **{
            "mapping_layers": sum(key.startswith("mapping.layers") for key in tensors) // 2,
            "image_channels": len(kernels[-1]) // 4,
        },
    }
    return "latent_lab.gans.mobilestylegan.MobileStyleGAN", config, tensors
