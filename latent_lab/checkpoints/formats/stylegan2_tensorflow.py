"""StyleGAN2 of NVIDIA's TensorFlow repository: a pickle of three networks, their variables as arrays."""

from __future__ import annotations

from torch import Tensor

from latent_lab.checkpoints.formats import Description
from latent_lab.checkpoints.limits import parse_number
from latent_lab.checkpoints.stylegan2_layers import Conv, convert_stylegan2
from latent_lab.checkpoints.tensorflow import name_variables, read_state, read_variables


def matches(tree: object) -> bool:
    """Tell whether a checkpoint is in this layout."""
    components = read_state(tree).get("components", {})
    return {"mapping", "synthesis"} <= components.keys() and "4x4/Const/const" in name_variables(
        components["synthesis"].state["variables"]
    )


def convert(tree: object) -> Description:
    """Convert NVIDIA's TensorFlow StyleGAN2 to the layout of latent_lab."""
    state = read_state(tree)
    own: dict[str, Tensor] = {}
    for name, part in state["components"].items():
        own |= read_variables(part.state["variables"], f"{name}/")
    if "mapping/LabelConcat/weight" in own:
        raise ValueError(
            "it joins labels before they are normalised (LabelConcat), which no later network does; "
            "that is not known here"
        )
    embed = (
        (own["mapping/LabelEmbed/weight"].mT, own["mapping/LabelEmbed/bias"])
        if "mapping/LabelEmbed/weight" in own
        else None
    )

    def conv(name: str, noise: int | None) -> Conv:
        weight = own[f"{name}/weight"].permute(3, 2, 0, 1)
        if name.endswith("Conv0_up"):
            weight = weight.flip(2, 3)
        maps = () if noise is None else (own[f"{name}/noise_strength"], own[f"synthesis/noise{noise}"][0, 0])
        return Conv(weight, own[f"{name}/bias"], own[f"{name}/mod_weight"].mT, own[f"{name}/mod_bias"] + 1, *maps)

    layers = sum(name.startswith("mapping/Dense") and name.endswith("weight") for name in own)
    sizes = sorted({parse_number(name.split("/")[1].split("x")[0]) for name in own if name.endswith("ToRGB/weight")})
    names = [
        "synthesis/4x4/Conv",
        *[f"synthesis/{size}x{size}/{name}" for size in sizes[1:] for name in ("Conv0_up", "Conv1")],
    ]
    mean = own["dlatent_avg"] if "dlatent_avg" in own else read_variables(state["variables"])["dlatent_avg"]
    return convert_stylegan2(
        [(own[f"mapping/Dense{i}/weight"].mT, own[f"mapping/Dense{i}/bias"]) for i in range(layers)],
        mean,
        own["synthesis/4x4/Const/const"][0],
        [conv(name, i) for i, name in enumerate(names)],
        [conv(f"synthesis/{size}x{size}/ToRGB", None) for size in sizes],
        embed=embed,
    )
