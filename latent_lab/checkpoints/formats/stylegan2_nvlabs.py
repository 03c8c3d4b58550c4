"""StyleGAN2 of NVIDIA's PyTorch repositories: pickles of persistent modules, whole modules that PTI saves, plain state
dicts."""

from __future__ import annotations

from latent_lab.checkpoints.limits import number, shown
from latent_lab.checkpoints.persistent import mapping_of, state_of
from latent_lab.checkpoints.stylegan2_layers import Conv, stylegan2


def matches(tree) -> bool:
    state = state_of(tree)
    return state is not None and "synthesis.b4.const" in state[0]


def convert(tree):
    own, options = state_of(tree)
    if options.get("architecture", "skip") != "skip":
        raise ValueError(f"architecture must be 'skip', got {shown(options['architecture'])}")

    def conv(name: str) -> Conv:
        noise = [own[f"{name}.noise_strength"], own[f"{name}.noise_const"]] if f"{name}.noise_const" in own else []
        return Conv(
            own[f"{name}.weight"], own[f"{name}.bias"], own[f"{name}.affine.weight"], own[f"{name}.affine.bias"], *noise
        )

    mapping, mean, embed = mapping_of(own)
    sizes = sorted(number(key.split(".")[1][1:]) for key in own if key.endswith("torgb.weight"))
    pairs = [f"synthesis.b{size}.conv{i}" for size in sizes for i in (0, 1)]
    return stylegan2(
        mapping,
        mean,
        own["synthesis.b4.const"],
        [conv(name) for name in pairs[1:]],
        [conv(f"synthesis.b{size}.torgb") for size in sizes],
        embed=embed,
        clamp=options.get("conv_clamp"),
    )
