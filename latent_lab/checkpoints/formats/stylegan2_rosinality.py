"""StyleGAN2 of rosinality: ``g_ema`` and ``latent_avg``, converted ones and snapshots of a training."""

from __future__ import annotations

from latent_lab.checkpoints.stylegan2_layers import Conv, stylegan2


def matches(tree) -> bool:
    return (
        isinstance(tree, dict)
        and {"input.input", "style.1.weight", "to_rgb1.conv.modulation.weight"} <= tree.get("g_ema", {}).keys()
    )


def convert(tree):
    own = tree["g_ema"]
    if "latent_avg" not in tree:
        raise ValueError("the file has no latent_avg, the mean style that truncation needs")

    def conv(name: str, noise: int) -> Conv:
        affine = [own[f"{name}.conv.modulation.{part}"] for part in ("weight", "bias")]
        strength, stored = own[f"{name}.noise.weight"], own[f"noises.noise_{noise}"][0, 0]
        return Conv(own[f"{name}.conv.weight"][0], own[f"{name}.activate.bias"], *affine, strength, stored)

    def colour(name: str) -> Conv:
        affine = [own[f"{name}.conv.modulation.{part}"] for part in ("weight", "bias")]
        return Conv(own[f"{name}.conv.weight"][0], own[f"{name}.bias"].flatten(), *affine)

    layers = sum(key.startswith("style.") and key.endswith(".weight") for key in own)
    convs = sum(key.startswith("convs.") and key.endswith(".conv.weight") for key in own)
    return stylegan2(
        [(own[f"style.{i}.weight"], own[f"style.{i}.bias"]) for i in range(1, layers + 1)],
        tree["latent_avg"],
        own["input.input"][0],
        [conv("conv1", 0), *[conv(f"convs.{i}", i + 1) for i in range(convs)]],
        [colour("to_rgb1"), *[colour(f"to_rgbs.{i}") for i in range(convs // 2)]],
        demodulation=True,
    )
