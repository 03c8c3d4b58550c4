"""latent_lab's own files: what goes in comes out, and what is damaged stays out."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save
from torch import nn

from latent_lab.checkpoints import native

METADATA = {"format": 1, "class": "latent_lab.gans.sngan.SNGAN", "config": {"widths": [8, 8], "name": None, "text": 'a "b"\nü'}}


@pytest.fixture
def module() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(4, 3))


@pytest.fixture
def content(module) -> bytes:
    return native.to_bytes(module.state_dict(), METADATA)


@pytest.fixture
def file(tmp_path, content):
    file = tmp_path / "weights.safetensors"
    file.write_bytes(content)
    return file


def test_tensors_and_metadata_come_back(file, module):
    tensors, metadata = native.read(file)
    assert metadata == METADATA and native.matches(file)
    assert tensors.keys() == module.state_dict().keys()
    for name, value in module.state_dict().items():
        assert torch.equal(tensors[name], value) and tensors[name].dtype == value.dtype


def test_any_memory_layout_can_be_stored(tmp_path):
    weight = nn.Conv2d(4, 3, 3).to(memory_format=torch.channels_last).weight
    (tmp_path / "a").write_bytes(native.to_bytes({"weight": weight, "transposed": torch.arange(6).reshape(2, 3).mT}, {}))
    tensors, metadata = native.read(tmp_path / "a")
    assert (
        torch.equal(tensors["weight"], weight) and torch.equal(tensors["transposed"], torch.arange(6).reshape(2, 3).mT) and metadata == {}
    )


@pytest.mark.parametrize(
    "damage",
    {
        "empty": lambda content: b"",
        "only a length": lambda content: content[:8],
        "cut in the header": lambda content: content[:40],
        "cut at the end": lambda content: content[:-1],
        "more at the end": lambda content: content + b"\0",
        "header overwritten": lambda content: content[:20] + b"\xff" * 20 + content[40:],
        "pickle": lambda content: b"\x80\x04K\x01." * 20,
        "metadata of someone else": lambda content: save({"a": torch.zeros(1)}, {"format": "pt"}),
    }.items(),
    ids=lambda item: item[0],
)
def test_damaged_files_are_refused_by_name_in_one_line(damage, file, content):
    file.write_bytes(damage[1](content))
    with pytest.raises(ValueError, match=r"weights\.safetensors is not a complete safetensors file of latent_lab") as error:
        native.read(file)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"PK\x03\x04" + bytes(40), bytes(8) + b"[", b"\xff" * 8 + b"{"])
def test_other_formats_do_not_match(content, tmp_path):
    (tmp_path / "other").write_bytes(content)
    assert not native.matches(tmp_path / "other")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda tensors: tensors.pop("2.bias"), r"weights does not fit Sequential: missing \['2.bias'\]"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), r"unknown \['extra'\]"),
        (lambda tensors: tensors.update({"2.weight": torch.zeros(3, 5)}), r"shape \['2.weight \(3, 5\) instead of \(3, 4\)'\]"),
        (lambda tensors: tensors.clear(), r"missing \['0.bias', '0.weight', '1.bias'\] \.\.\.$"),
        (lambda tensors: tensors.update(a=tensors.pop("0.bias")), r"missing \['0.bias'\], unknown \['a'\]"),
    ],
)
def test_tensors_that_do_not_fit_are_named_and_nothing_is_loaded(change, message, module):
    tensors = {name: value + 1 for name, value in module.state_dict().items()}
    before = {name: value.clone() for name, value in module.state_dict().items()}
    change(tensors)
    with pytest.raises(ValueError, match=message) as error:
        native.load_into(module, tensors, "weights")
    assert "\n" not in str(error.value)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_loading_keeps_the_precision_of_the_module(module):
    tensors = {name: value.half() if value.is_floating_point() else value for name, value in module.state_dict().items()}
    native.load_into(module.double(), tensors, "weights")
    assert {value.dtype for value in module.state_dict().values()} == {torch.float64, torch.int64}
    assert torch.equal(module.state_dict()["2.weight"], tensors["2.weight"].double())
