"""The network that keeps the content while paths are trained is never the one that judges their identity."""

from __future__ import annotations

import torch
from torch import nn

from latent_lab.components import AROUND, build, read_component
from latent_lab.installation import choices, read_choice


def share_weights(one: nn.Module, other: nn.Module) -> bool:
    """Whether a tensor of more than one number stands in both."""
    tensors = [value for value in one.state_dict().values() if value.numel() > 1]
    return any(
        value.shape == tensor.shape and torch.equal(value, tensor)
        for value in other.state_dict().values()
        for tensor in tensors
    )


def test_the_content_of_digits_is_read_by_another_network_than_their_identity():
    node = read_choice("dataset", "mnist")
    identity, content = build(node["identity"]), build(node["content"])
    assert share_weights(identity, build(node["identity"])) and not share_weights(identity, content)
    shapes = lambda network: [tuple(value.shape) for value in network.parameters()]  # noqa: E731
    assert shapes(identity) != shapes(content)
    assert not share_weights(build(node["attributes"]), content)


def test_the_method_takes_a_data_sets_content_and_never_its_identity():
    """The file of settings is resolved for each data set; none names its judge of identity."""
    for name in choices("dataset"):
        node = read_choice("dataset", name)
        around = AROUND | {"dataset": AROUND["dataset"] | {key: node[key] for key in node if key != "data"}}
        embedding = read_component("method", "enjoy_your_editing", around)["target"]["embedding"]
        assert embedding == node.get("content"), name
        assert embedding is None or embedding != node["identity"], name
