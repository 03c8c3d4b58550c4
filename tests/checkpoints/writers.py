"""Layouts as files: torch's two formats, NVIDIA's pickles and TensorFlow pickles, without the modules that they
name."""

from __future__ import annotations

import io
import pickle
import sys
import types
from contextlib import contextmanager

import torch
from torch import nn

from latent_lab.gans.stylegan2_layouts import nvlabs


@contextmanager
def modules(**contents):
    """Modules that exist while a file is written, so that pickle can name them, and not when it is read."""
    made = {}
    for dotted, (name, value) in contents.items():
        dotted = dotted.replace("__", ".")
        for depth in range(1, dotted.count(".") + 2):
            made.setdefault(".".join(dotted.split(".")[:depth]), types.ModuleType(dotted))
        setattr(made[dotted], name, value)
        value.__module__, value.__qualname__ = dotted, name
    sys.modules.update(made)
    try:
        yield
    finally:
        for name in made:
            del sys.modules[name]


class Persistent:
    """Pickles as NVIDIA's modules do."""

    def __init__(self, tensors: dict, options: dict) -> None:
        children = {name.split(".")[0] for name in tensors if "." in name}
        below = {c: {n.split(".", 1)[1]: v for n, v in tensors.items() if n.startswith(f"{c}.")} for c in children}
        self.state = {
            "_parameters": {
                name: nn.Parameter(value) for name, value in tensors.items() if "." not in name and value.ndim
            },
            "_buffers": {name: value for name, value in tensors.items() if "." not in name and not value.ndim},
            "_modules": {name: Persistent(own, {}) for name, own in below.items()},
            "_init_kwargs": options,
        }

    def __reduce__(self):
        meta = {
            "type": "class",
            "version": 6,
            "module_src": "import os",
            "class_name": "Generator",
            "state": self.state,
        }
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,)


def nvidia_pickle(model, names=nvlabs, **options) -> bytes:
    def rebuild(meta):
        raise AssertionError("called")

    with modules(torch_utils__persistence=("_reconstruct_persistent_obj", rebuild)):
        return pickle.dumps({"G": None, "G_ema": Persistent(names(model), options)}, protocol=4)


def tensorflow_pickle(model) -> bytes:
    def part(**variables) -> list:
        return [(name, value.numpy()) for name, value in variables.items()]

    state = nvlabs(model)
    embed = {}
    if model.classes:
        embed = {"LabelEmbed/weight": state["mapping.embed.weight"].mT, "LabelEmbed/bias": state["mapping.embed.bias"]}
    mapping, synthesis, number = embed, {"4x4/Const/const": state["synthesis.b4.const"][None]}, 0
    for i in range(len(model.mapping.layers)):
        mapping |= {
            f"Dense{i}/weight": state[f"mapping.fc{i}.weight"].mT,
            f"Dense{i}/bias": state[f"mapping.fc{i}.bias"],
        }
    for i in range(len(model.blocks)):
        size = 4 * 2**i
        for ours, theirs in (("conv0", "Conv0_up"), ("conv1", "Conv1" if i else "Conv"), ("torgb", "ToRGB")):
            name, target = f"synthesis.b{size}.{ours}", f"{size}x{size}/{theirs}"
            if f"{name}.weight" not in state:
                continue
            weight = state[f"{name}.weight"]
            weight = weight.flip(2, 3) if ours == "conv0" else weight
            synthesis |= {f"{target}/weight": weight.permute(2, 3, 1, 0), f"{target}/bias": state[f"{name}.bias"]}
            synthesis |= {
                f"{target}/mod_weight": state[f"{name}.affine.weight"].mT,
                f"{target}/mod_bias": state[f"{name}.affine.bias"] - 1,
            }
            if ours != "torgb":
                synthesis |= {f"{target}/noise_strength": state[f"{name}.noise_strength"]}
                synthesis[f"noise{number}"] = state[f"{name}.noise_const"][None, None]
                number += 1

    class Network:
        def __init__(self, **state) -> None:
            self.state = state

        def __getstate__(self):
            return self.state

        def __setstate__(self, state):
            raise AssertionError("called")

    with modules(dnnlib__tflib__network=("Network", Network)):
        components = {"mapping": Network(variables=part(**mapping)), "synthesis": Network(variables=part(**synthesis))}
        whole = Network(
            version=4,
            static_kwargs={"label_size": 0},
            components=components,
            variables=part(dlatent_avg=state["mapping.w_avg"]),
        )
        return pickle.dumps((Network(), Network(), whole), protocol=3)


def tensorflow_proggan(model, fused: bool) -> bytes:
    """The oldest layout: variables of the whole network, gains not applied, upsampling fused into transposed
    convolutions or not."""

    def kernel(name: str, conv, gain: float = 2**0.5) -> dict:
        weight = conv.weight * (conv.weight[0].numel() ** 0.5 / gain)
        order = (2, 3, 0, 1) if name.endswith("Conv0_up") else (2, 3, 1, 0)
        weight = weight.flip(2, 3) if name.endswith("Conv0_up") else weight
        return {f"{name}/weight": weight.permute(order).numpy(), f"{name}/bias": conv.bias.numpy()}

    width, dim = len(model.dense.weight) // 16, model.dense.in_features
    bias = model.dense.bias.unflatten(0, (width, 16))[:, 0].clone()
    model.dense.bias.copy_(bias.repeat_interleave(16))
    own = {
        "lod": torch.zeros(()).numpy(),
        "4x4/Dense/weight": (model.dense.weight.mT * (dim**0.5 * 4 / 2**0.5)).numpy(),
    }
    own |= {
        "4x4/Dense/bias": bias.numpy(),
        **kernel("4x4/Conv", model.convs[0]),
        **kernel("ToRGB_lod0", model.rgb, 1.0),
    }
    for i, conv in enumerate(model.convs[1:]):
        size = 8 * 2 ** (i // 2)
        own |= kernel(f"{size}x{size}/" + ("Conv1" if i % 2 else "Conv0_up" if fused else "Conv0"), conv)

    class Network:
        def __init__(self, **state) -> None:
            self.state = state

        def __getstate__(self):
            return self.state

    with modules(tfutil=("Network", Network)):
        whole = Network(version=2, static_kwargs={"label_size": 0}, variables=list(own.items()))
        return pickle.dumps((Network(), Network(), whole), protocol=2)


def torch_file(tree, legacy: bool = False) -> bytes:
    stream = io.BytesIO()
    torch.save(tree, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()
