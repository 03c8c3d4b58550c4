"""StyleGAN2 of genforce: ``generator_smooth``."""

from __future__ import annotations

from latent_lab.checkpoints.formats import Description
from latent_lab.checkpoints.stylegan2_layers import Conv, convert_stylegan2
from latent_lab.checkpoints.trees import tensors_at, values_at


def matches(tree: object) -> bool:
    """Tell whether a checkpoint is in this layout."""
    needed = {"mapping.dense0.weight", "truncation.w_avg", "synthesis.early_layer.const"}
    return needed <= values_at(tree, "generator_smooth").keys()


def convert(tree: object) -> Description:
    """Convert genforce's StyleGAN2 to the layout of latent_lab."""
    own = tensors_at(tree, "generator_smooth")

    def conv(name: str) -> Conv:
        affine = own[f"{name}.style.weight"], own[f"{name}.style.bias"] + 1  # it adds the 1 at run time
        noise = (own[f"{name}.noise_strength"], own[f"{name}.noise"][0, 0]) if f"{name}.noise" in own else ()
        weight = own[f"{name}.weight"]
        # it stores upsampling kernels turned round
        weight = weight.flip(2, 3) if f"{name}.filter.kernel" in own else weight
        return Conv(weight, own[f"{name}.bias"], *affine, *noise)

    def count(name: str) -> int:
        return sum(
            key.startswith(name) and key.endswith(".weight") and key.count(".") == name.count(".") + 1 for key in own
        )

    return convert_stylegan2(
        [(own[f"mapping.dense{i}.weight"], own[f"mapping.dense{i}.bias"]) for i in range(count("mapping.dense"))],
        own["truncation.w_avg"],
        own["synthesis.early_layer.const"][0],
        [conv(f"synthesis.layer{i}") for i in range(count("synthesis.layer"))],
        [conv(f"synthesis.output{i}") for i in range(count("synthesis.output"))],
        demodulation=True,
    )
