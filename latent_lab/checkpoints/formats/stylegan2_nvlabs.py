"""StyleGAN2 of NVIDIA's PyTorch repositories: pickles of persistent modules, whole modules that PTI saves, plain state
dicts."""

from __future__ import annotations

from latent_lab.checkpoints.formats import Description
from latent_lab.checkpoints.limits import parse_number, quote
from latent_lab.checkpoints.persistent import read_mapping, read_state
from latent_lab.checkpoints.stylegan2_layers import Conv, convert_stylegan2


def matches(tree: object) -> bool:
    """Tell whether a checkpoint is in this layout."""
    return "synthesis.b4.const" in read_state(tree)[0]


def convert(tree: object) -> Description:
    """Convert NVIDIA's StyleGAN2 to the layout of latent_lab."""
    own, options = read_state(tree)
    if options.get("architecture", "skip") != "skip":
        raise ValueError(f"architecture must be 'skip', got {quote(options['architecture'])}")

    def conv(name: str) -> Conv:
        noise = (own[f"{name}.noise_strength"], own[f"{name}.noise_const"]) if f"{name}.noise_const" in own else ()
        return Conv(
            own[f"{name}.weight"], own[f"{name}.bias"], own[f"{name}.affine.weight"], own[f"{name}.affine.bias"], *noise
        )

    mapping, mean, embed = read_mapping(own)
    sizes = sorted(parse_number(key.split(".")[1][1:]) for key in own if key.endswith("torgb.weight"))
    pairs = [f"synthesis.b{size}.conv{i}" for size in sizes for i in (0, 1)]
    return convert_stylegan2(
        mapping,
        mean,
        own["synthesis.b4.const"],
        [conv(name) for name in pairs[1:]],
        [conv(f"synthesis.b{size}.torgb") for size in sizes],
        embed=embed,
        clamp=options.get("conv_clamp"),
    )
