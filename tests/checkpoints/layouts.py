"""Tiny generators in the published layouts: the names, shapes and gains of each format, undone from ours."""

from __future__ import annotations

import math

import torch
from torch import nn

from latent_lab.gans.stylegan2_layouts import read_kernel


def random_weights(module: nn.Module, seed: int = 0) -> nn.Module:
    """Every number of the state dict is drawn; statistics that must be positive are."""
    rng = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        # these have a meaning of their own
        if value.is_floating_point() and not name.endswith(("_filter", "freqs", "transform")):
            drawn = torch.randn(value.shape, generator=rng) / math.sqrt(
                max(1, value[0].numel() if value.ndim > 1 else 1)
            )
            value.copy_(drawn.abs() + 0.5 if "var" in name else drawn)
    return module.eval().requires_grad_(False)


def sngan(model) -> dict:
    state, out = model.state_dict(), {}
    blocks = len(model.blocks)
    for ours, value in state.items():
        part = ours.split(".")
        if part[0] == "blocks":
            name = {
                "norm1": "model.0",
                "conv1": "model.3",
                "norm2": "model.4",
                "conv2": "model.6",
                "bypass": "bypass.1",
            }[part[2]]
            out[f"model.{int(part[1]) + 2}.{name}.{part[3]}"] = value
            if part[2] in ("conv1", "conv2"):
                out[f"model.{int(part[1]) + 2}.{part[2]}.{part[3]}"] = value
        else:
            out[f"model.{ {'linear': 0, 'norm': blocks + 2, 'conv': blocks + 4}[part[0]] }.{part[1]}"] = value
    return out


def dense_as_conv(model) -> tuple[torch.Tensor, torch.Tensor]:
    """The first layer as a turned 4x4 convolution; its bias becomes one a channel, in the model too."""
    width = len(model.dense.weight) // 16
    bias = model.dense.bias.unflatten(0, (width, 16))[:, 0].clone()
    model.dense.bias.copy_(bias.repeat_interleave(16))
    return model.dense.weight.unflatten(0, (width, 4, 4)).permute(0, 3, 1, 2).flip(2, 3), bias


def proggan_ptrblck(model) -> dict:
    layers = {"features.0": dense_as_conv(model), "output": (model.rgb.weight, model.rgb.bias)}
    layers |= {f"features.{i}": (conv.weight, conv.bias) for i, conv in enumerate(model.convs, 1)}
    out = {}
    for name, (weight, bias) in layers.items():
        out |= {
            f"{name}.conv.weight": weight / 2,
            f"{name}.wscale.scale": torch.tensor([2.0]),
            f"{name}.wscale.b": bias,
        }
    return out


def proggan_genforce(model) -> dict:
    own = {"lod": torch.zeros(())}
    layers = {
        "layer0": dense_as_conv(model),
        **{f"layer{i}": (conv.weight, conv.bias) for i, conv in enumerate(model.convs, 1)},
    }
    layers |= {f"output{k}": (model.rgb.weight * (k == 3), model.rgb.bias) for k in range(4)}
    for name, (weight, bias) in layers.items():
        gain = 1 if name.startswith("output") else math.sqrt(2)
        own |= {f"{name}.weight": weight * math.sqrt(weight[0].numel()) / gain, f"{name}.bias": bias}
    return {"generator": {}, "discriminator": {}, "generator_smooth": own}


def proggan_zoo(model) -> dict:
    own = {}
    names = ["groupScale0.0"] + [f"scaleLayers.{i}.{j}" for i in range(3) for j in (0, 1)]
    layers = {"formatLayer": model.dense, "toRGBLayers.3": model.rgb, **dict(zip(names, model.convs))}
    for name, layer in layers.items():
        gain = math.sqrt(2 / layer.weight[0].numel())
        own |= {f"{name}.module.weight": layer.weight / gain, f"{name}.module.bias": layer.bias / gain}
    return {"config": {}, "netG": {}, "avgG": own}


def biggan_ajbrock(model) -> dict:
    """The model's weights are normalised by one power iteration, as the published network's are at run time."""
    rng, out = torch.Generator().manual_seed(1), {}

    def spectral(theirs: str, weight: torch.Tensor) -> None:
        matrix, u = weight.flatten(1), torch.randn(1, len(weight), generator=rng)
        v = (u @ matrix) / (u @ matrix).norm()
        after = (v @ matrix.mT) / (v @ matrix.mT).norm()
        weight.div_((v @ matrix.mT @ after.mT).item())
        out[f"{theirs}.weight"], out[f"{theirs}.u0"], out[f"{theirs}.sv0"] = 3 * weight, u, torch.tensor([7.0])

    out["shared.weight"] = model.embed.weight
    spectral("linear", model.linear.weight)
    out["linear.bias"] = model.linear.bias
    for i, block in enumerate(model.blocks):
        for theirs, conv in (("conv1", block.conv1), ("conv2", block.conv2), ("conv_sc", block.bypass)):
            spectral(f"blocks.{i}.0.{theirs}", conv.weight)
            out[f"blocks.{i}.0.{theirs}.bias"] = conv.bias
        for theirs, norm in (("bn1", block.norm1), ("bn2", block.norm2)):
            out[f"blocks.{i}.0.{theirs}.stored_mean"], out[f"blocks.{i}.0.{theirs}.stored_var"] = norm.mean, norm.var
            spectral(f"blocks.{i}.0.{theirs}.gain", norm.gain.weight)
            spectral(f"blocks.{i}.0.{theirs}.bias", norm.bias.weight)
    for i, attention in model.attention.items():
        out[f"blocks.{i}.1.gamma"] = attention.gamma
        for theirs, part in (("theta", "query"), ("phi", "key"), ("g", "value"), ("o", "out")):
            spectral(f"blocks.{i}.1.{theirs}", getattr(attention, part).weight)
    norm = {"gain": "weight", "bias": "bias", "stored_mean": "running_mean", "stored_var": "running_var"}
    out |= {f"output_layer.0.{theirs}": getattr(model.norm, ours) for theirs, ours in norm.items()}
    spectral("output_layer.2", model.conv.weight)
    return out | {"output_layer.2.bias": model.conv.bias}


def biggan_deep(model) -> dict:
    rng, out = torch.Generator().manual_seed(1), {"embeddings.weight": model.embed.weight.mT}

    def spectral(theirs: str, weight: torch.Tensor) -> None:
        u, v = torch.randn(len(weight), generator=rng), torch.randn(weight[0].numel(), generator=rng)
        out[f"generator.{theirs}.weight_orig"] = 3 * weight
        out[f"generator.{theirs}.weight_u"], out[f"generator.{theirs}.weight_v"] = u, v / (u @ weight.flatten(1) @ v)

    spectral("gen_z", model.linear.weight)
    out["generator.gen_z.bias"] = model.linear.bias
    for i, block in enumerate(model.blocks):
        number = i + (i >= model.before_attention)
        for j, (norm, conv) in enumerate(zip(block.norms, block.convs)):
            name = f"layers.{number}.bn_{j}"
            out[f"generator.{name}.running_means"], out[f"generator.{name}.running_vars"] = norm.means, norm.vars
            spectral(f"{name}.scale", norm.scale.weight)
            spectral(f"{name}.offset", norm.offset.weight)
            spectral(f"layers.{number}.conv_{j}", conv.weight)
            out[f"generator.layers.{number}.conv_{j}.bias"] = conv.bias
    at = f"layers.{model.before_attention}"
    out[f"generator.{at}.gamma"] = model.attention.gamma[None]
    for theirs, part in (("theta", "query"), ("phi", "key"), ("g", "value"), ("o_conv", "out")):
        spectral(f"{at}.snconv1x1_{theirs}", getattr(model.attention, part).weight)
    names = {"weight": "gain", "bias": "bias", "running_means": "means", "running_vars": "vars"}
    out |= {f"generator.bn.{theirs}": getattr(model, ours) for theirs, ours in names.items()}
    wide = torch.cat([model.conv.weight, torch.ones(1, *model.conv.weight.shape[1:])])  # a channel that is not shown
    spectral("conv_to_rgb", wide)
    return out | {"generator.conv_to_rgb.bias": torch.cat([model.conv.bias, torch.ones(1)])}


def styled(model) -> tuple[list, list]:
    """The styled convolutions in order, and the layers of colours."""
    return [c for block in model.blocks for c in (block.conv0, block.conv1) if c is not None], [
        block.rgb for block in model.blocks
    ]


def unscaled(layer: nn.Linear, gain: float = 1.0) -> dict[str, torch.Tensor]:
    return {"weight": layer.weight * math.sqrt(layer.in_features) / gain, "bias": layer.bias / gain}


def stylegan2_genforce(model) -> dict:
    own = {"synthesis.early_layer.const": model.const[None], "truncation.w_avg": model.mapping.mean}
    convs, colours = styled(model)
    for i, layer in enumerate(model.mapping.layers):
        own |= {f"mapping.dense{i}.{part}": value for part, value in unscaled(layer, 0.01).items()}
    named = [(f"synthesis.layer{i}", conv) for i, conv in enumerate(convs)] + [
        (f"synthesis.output{i}", rgb) for i, rgb in enumerate(colours)
    ]
    for name, layer in named:
        affine = unscaled(layer.affine)
        own |= {f"{name}.style.weight": affine["weight"], f"{name}.style.bias": affine["bias"] - 1}
        inner = layer.conv if "output" in name else layer
        weight = inner.weight if "output" in name else read_kernel(layer)
        weight = weight * math.sqrt(weight[0].numel())
        if "layer" in name:
            own |= {f"{name}.noise_strength": layer.noise_strength, f"{name}.noise": layer.noise[None, None]}
            if layer.up:
                own[f"{name}.filter.kernel"], weight = torch.ones(1, 1, 4, 4), weight.flip(2, 3)
        own |= {f"{name}.weight": weight, f"{name}.bias": inner.bias}
    return {"generator": {}, "discriminator": {}, "generator_smooth": own}


def stylegan3_names(model) -> dict[str, torch.Tensor]:
    """The state dict of NVIDIA's network; kernels are normalised in the model too, as they are at run time."""
    own = {"mapping.w_avg": model.mapping.mean}
    for i, layer in enumerate(model.mapping.layers):
        own |= {f"mapping.fc{i}.{part}": value for part, value in unscaled(layer, 0.01).items()}
    own |= {f"synthesis.input.{part}": getattr(model.input, part) for part in ("freqs", "phases", "transform")}
    own["synthesis.input.weight"] = model.input.weight * math.sqrt(len(model.input.weight))
    own |= {f"synthesis.input.affine.{part}": value for part, value in unscaled(model.input.affine).items()}
    for i, layer in enumerate(model.layers):
        name = f"synthesis.L{i}_{model.resolution}_{len(layer.weight)}"
        own |= {f"{name}.affine.{part}": value for part, value in unscaled(layer.affine).items()}
        if layer.colours:
            own[f"{name}.weight"] = layer.weight * math.sqrt(layer.weight[0].numel())
        else:
            layer.weight.mul_(layer.weight.square().mean((1, 2, 3), keepdim=True).rsqrt())
            own[f"{name}.weight"] = 3 * layer.weight
        layer.magnitude.abs_().add_(0.5)
        own |= {f"{name}.bias": layer.bias, f"{name}.magnitude_ema": layer.magnitude}
        filters = {part: getattr(layer, part) for part in ("up_filter", "down_filter")}
        own |= {f"{name}.{part}": value for part, value in filters.items() if value is not None}
    return own
