"""BigGAN-deep of Hugging Face: spectral normalisation by the stored vectors as they are, folded into the weights
here."""

from __future__ import annotations

from torch import Tensor

from latent_lab.checkpoints.formats import Description
from latent_lab.checkpoints.limits import parse_number
from latent_lab.checkpoints.trees import tensors_at, values_at

PREFIX = "generator."


def matches(tree: object) -> bool:
    """Tell whether a checkpoint is in this layout."""
    needed = {"embeddings.weight", "generator.gen_z.weight_orig", "generator.bn.running_means"}
    return needed <= values_at(tree).keys()


def convert(tree: object) -> Description:
    """Convert Hugging Face's BigGAN-deep to the layout of latent_lab."""
    own = tensors_at(tree)

    def fold(name: str) -> Tensor:
        weight = own[f"{PREFIX}{name}.weight_orig"]
        return weight / (own[f"{PREFIX}{name}.weight_u"] @ weight.flatten(1) @ own[f"{PREFIX}{name}.weight_v"])

    linear = fold("gen_z")
    tensors = {
        "embed.weight": own["embeddings.weight"].mT,
        "linear.weight": linear,
        "linear.bias": own[f"{PREFIX}gen_z.bias"],
    }
    numbers = sorted({parse_number(key.split(".")[2]) for key in own if key.startswith(f"{PREFIX}layers.")})
    blocks = [n for n in numbers if f"{PREFIX}layers.{n}.conv_0.weight_orig" in own]
    (attention,) = set(numbers) - set(blocks)
    for i, n in enumerate(blocks):
        for j in range(4):
            theirs = f"layers.{n}.bn_{j}"
            tensors |= {
                f"blocks.{i}.norms.{j}.{part}": own[f"{PREFIX}{theirs}.running_{part}"] for part in ("means", "vars")
            }
            tensors |= {f"blocks.{i}.norms.{j}.{part}.weight": fold(f"{theirs}.{part}") for part in ("scale", "offset")}
            tensors[f"blocks.{i}.convs.{j}.weight"] = fold(f"layers.{n}.conv_{j}")
            tensors[f"blocks.{i}.convs.{j}.bias"] = own[f"{PREFIX}layers.{n}.conv_{j}.bias"]
    tensors["attention.gamma"] = own[f"{PREFIX}layers.{attention}.gamma"].squeeze()
    for ours, theirs in (("query", "theta"), ("key", "phi"), ("value", "g"), ("out", "o_conv")):
        tensors[f"attention.{ours}.weight"] = fold(f"layers.{attention}.snconv1x1_{theirs}")
    tensors |= {part: own[f"{PREFIX}bn.running_{part}"] for part in ("means", "vars")}
    tensors |= {"gain": own[f"{PREFIX}bn.weight"], "bias": own[f"{PREFIX}bn.bias"]}
    # the network makes as many channels as it is wide and shows three
    tensors |= {"conv.weight": fold("conv_to_rgb")[:3], "conv.bias": own[f"{PREFIX}conv_to_rgb.bias"][:3]}

    embedding, classes = own["embeddings.weight"].shape
    width = tensors["means"].shape[1]
    sizes = [
        (tensors[f"blocks.{i}.norms.0.means"].shape[1] // width, len(tensors[f"blocks.{i}.convs.3.weight"]) // width)
        for i in range(len(blocks))
    ]
    config = {
        **{"latent_dim": linear.shape[1] - embedding, "classes": classes, "embedding": embedding, "width": width},
        # every second block doubles the size, beginning with the second
        **{"layers": [[i % 2 == 1, inner, outer] for i, (inner, outer) in enumerate(sizes)], "attention": attention},
        "rows": len(tensors["means"]),
    }
    return "latent_lab.gans.biggan_deep.BigGANDeep", config, tensors
