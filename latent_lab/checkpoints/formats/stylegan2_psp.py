"""StyleGAN2 inside of the files of pSp, e4e, ReStyle and HFGI: rosinality's generator under ``decoder.``."""

from __future__ import annotations

from latent_lab.checkpoints.formats import stylegan2_rosinality


def matches(tree) -> bool:
    return (
        isinstance(tree, dict)
        and isinstance(tree.get("state_dict"), dict)
        and "decoder.input.input" in tree["state_dict"]
    )


def convert(tree):
    own = {
        name.removeprefix("decoder."): value
        for name, value in tree["state_dict"].items()
        if name.startswith("decoder.")
    }
    mean = tree["latent_avg"]  # one style, or the same one for every row
    return stylegan2_rosinality.convert({"g_ema": own, "latent_avg": mean if mean.ndim == 1 else mean[0]})
