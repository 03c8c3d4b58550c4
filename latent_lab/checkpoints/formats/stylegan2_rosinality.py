"""StyleGAN2 of rosinality: ``g_ema`` and ``latent_avg``, converted ones and snapshots of a training."""

from __future__ import annotations

from torch import Tensor

from latent_lab.checkpoints.formats import Description
from latent_lab.checkpoints.stylegan2_layers import Conv, convert_stylegan2
from latent_lab.checkpoints.trees import tensors_at, values_at


def matches(tree: object) -> bool:
    """Tell whether a checkpoint is in this layout."""
    return {"input.input", "style.1.weight", "to_rgb1.conv.modulation.weight"} <= values_at(tree, "g_ema").keys()


def convert(tree: object) -> Description:
    """Convert rosinality's StyleGAN2 to the layout of latent_lab."""
    own = tensors_at(tree, "g_ema")
    if "latent_avg" not in values_at(tree):
        raise ValueError("the file has no latent_avg, the mean style that truncation needs")

    def affine(name: str) -> tuple[Tensor, Tensor]:
        return own[f"{name}.conv.modulation.weight"], own[f"{name}.conv.modulation.bias"]

    def conv(name: str, noise: int) -> Conv:
        strength, stored = own[f"{name}.noise.weight"], own[f"noises.noise_{noise}"][0, 0]
        return Conv(own[f"{name}.conv.weight"][0], own[f"{name}.activate.bias"], *affine(name), strength, stored)

    def colour(name: str) -> Conv:
        return Conv(own[f"{name}.conv.weight"][0], own[f"{name}.bias"].flatten(), *affine(name))

    layers = sum(key.startswith("style.") and key.endswith(".weight") for key in own)
    convs = sum(key.startswith("convs.") and key.endswith(".conv.weight") for key in own)
    return convert_stylegan2(
        [(own[f"style.{i}.weight"], own[f"style.{i}.bias"]) for i in range(1, layers + 1)],
        tensors_at(tree)["latent_avg"],
        own["input.input"][0],
        [conv("conv1", 0), *[conv(f"convs.{i}", i + 1) for i in range(convs)]],
        [colour("to_rgb1"), *[colour(f"to_rgbs.{i}") for i in range(convs // 2)]],
        demodulation=True,
    )
