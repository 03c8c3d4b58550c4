"""MobileStyleGAN as the package random_face carries it: OpenVINO's graphs of the mapping and of the synthesis, side by
side."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.checkpoints.openvino import Node

GRAPHS = {"MappingNetwork", "SynthesisNetwork"}


def matches(tree) -> bool:
    return isinstance(tree, dict) and GRAPHS <= tree.keys() and all(isinstance(tree[name], dict) for name in GRAPHS)


def constants(graph: dict[str, Node], kind: str) -> list[Tensor]:
    """The constant that each operation of a kind reads, in order."""
    found = [
        [graph[at].value for at in node.inputs if graph[at].kind == "Const"]
        for node in graph.values()
        if node.kind == kind
    ]
    return [values[0] for values in found if values]


def gains(graph: dict[str, Node]) -> dict[str, float]:
    """What a modulation's styles are multiplied with at run time, by the modulation's name."""
    found = {}
    for node in graph.values():
        scalar = [graph[at].value for at in node.inputs if graph[at].kind == "Const"]
        reshaped = [graph[at] for at in node.inputs if graph[at].kind == "Reshape"]
        if node.kind == "Multiply" and scalar and reshaped and scalar[0].numel() == 1:
            (bias,) = [graph[at].name for at in graph[reshaped[0].inputs[0]].inputs if graph[at].kind == "Const"]
            found[bias.removesuffix(".bias")] = scalar[0].item()
    return found


def mapping(graph: dict[str, Node]) -> dict[str, Tensor]:
    weights, biases = (
        constants(graph, "MatMul"),
        [node.value for node in graph.values() if node.value is not None and node.value.ndim == 1],
    )
    biases = [value for value in biases if value.is_floating_point() and len(value) == len(weights[0])]
    tensors = {}
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        tensors |= {f"mapping.layers.{i}.weight": weight, f"mapping.layers.{i}.bias": bias}
    if weights[0].shape[1] > 4 * len(weights[0]):
        raise ValueError(f"its mapping must have layers of one width, got {tuple(weights[0].shape)}")
    z = torch.randn(10_000, weights[0].shape[1], generator=torch.Generator().manual_seed(0))
    z = z * z.square().mean(1, keepdim=True).rsqrt()
    for weight, bias in zip(weights, biases):
        z = F.leaky_relu(z @ weight.mT + bias, 0.2) * math.sqrt(2)
    return tensors | {"mapping.mean": z.mean(0)}  # the file has none


def by_bands(x: Tensor) -> Tensor:
    """Channels as the wavelet wants them: all averages, then all of each of the three differences, which the file
    interleaves."""
    groups = len(x) // 4
    # and the wavelet's gain
    return torch.cat([x[:groups], x[groups:].unflatten(0, (groups, 3)).transpose(0, 1).flatten(0, 1)]) / 2


def convert(tree):
    graph = tree["SynthesisNetwork"]
    own = {node.name: node.value for node in graph.values() if node.value is not None}
    gain = gains(graph)
    kernels = constants(graph, "Convolution")
    noises = [value[0, 0] for value in constants(graph, "Add") if value.ndim == 4 and value.shape[:2] == (1, 1)]
    names = ["conv1", *[f"layers.{i}.{part}" for i in range((len(kernels) - 2) // 2) for part in ("conv1", "conv2")]]

    def affine(name: str) -> tuple[Tensor, Tensor]:
        scale = gain.get(name, 1.0)
        return own[f"{name}.weight"] * scale, own[f"{name}.bias"].flatten() * scale

    tensors = mapping(tree["MappingNetwork"]) | {"const": own["m.input.input"][0]}
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
        tensors |= {f"blocks.{i}.up.weight": by_bands(weight), f"blocks.{i}.up.bias": by_bands(bias)}
        for part in ("weight", "bias"):
            tensors[f"{before}.{part}"] = by_bands(tensors[f"{before}.{part}"]) * 2
    name = f"m.layers.{len(names) // 2 - 1}.to_img"
    tensors["rgb.affine.weight"], tensors["rgb.affine.bias"] = affine(f"{name}.conv.modulation")
    tensors |= {"rgb.weight": by_bands(kernels[-1][:, :, 0, 0]), "rgb.bias": by_bands(own[f"{name}.bias"].flatten())}
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
