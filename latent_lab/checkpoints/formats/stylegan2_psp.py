"""StyleGAN2 inside of the files of pSp, e4e, ReStyle and HFGI: rosinality's generator under ``decoder.``."""

from __future__ import annotations

from latent_lab.checkpoints.formats import Description, stylegan2_rosinality
from latent_lab.checkpoints.trees import tensors_at, values_at


def matches(tree: object) -> bool:
    """Tell whether a checkpoint is in this layout."""
    return "decoder.input.input" in values_at(tree, "state_dict")


def convert(tree: object) -> Description:
    """Convert the generator in a file of pSp, e4e, ReStyle or HFGI to the layout of latent_lab."""
    own = {
        name.removeprefix("decoder."): value
        for name, value in tensors_at(tree, "state_dict").items()
        if name.startswith("decoder.")
    }
    mean = tensors_at(tree)["latent_avg"]  # one style, or the same one for every row
    return stylegan2_rosinality.convert({"g_ema": own, "latent_avg": mean if mean.ndim == 1 else mean[0]})
