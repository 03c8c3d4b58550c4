"""latent_lab's own files: what goes in comes out, and what is damaged stays out."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from latent_lab.checkpoints import native

METADATA = {
    "format": 1,
    "class": "latent_lab.gans.sngan.SNGAN",
    "config": {"widths": [8, 8], "name": None, "text": 'a "b"\nü'},
}


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
    (tmp_path / "a").write_bytes(
        native.to_bytes({"weight": weight, "transposed": torch.arange(6).reshape(2, 3).mT}, {})
    )
    tensors, metadata = native.read(tmp_path / "a")
    assert (
        torch.equal(tensors["weight"], weight)
        and torch.equal(tensors["transposed"], torch.arange(6).reshape(2, 3).mT)
        and metadata == {}
    )


def test_equal_content_is_the_same_file(tmp_path, module):
    metadata = {f"key {i}": {"ü": [i, None, "\\x1b"]} for i in range(12)}
    contents = {native.to_bytes(module.state_dict(), metadata) for _ in range(20)}
    assert len(contents) == 1
    (content,) = contents
    (tmp_path / "a").write_bytes(content)
    assert int.from_bytes(content[:8], "little") % 8 == 0 and native.read(tmp_path / "a")[1] == metadata
    loaded = load(content)  # by safetensors itself
    assert loaded.keys() == module.state_dict().keys() and all(
        torch.equal(loaded[key], module.state_dict()[key]) for key in loaded
    )


def header(metadata: str, tensors: str = '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}') -> bytes:
    text = f'{{"__metadata__":{{"value":{json.dumps(metadata)}}},{tensors}}}'.encode()
    return len(text).to_bytes(8, "little") + text + bytes(4)


@pytest.mark.parametrize(
    "metadata, message",
    [
        ("[" * 100_000 + "]" * 100_000, "RecursionError"),
        ("[" * 40 + "]" * 40, "its metadata nest deeper than 32"),
        ("1" * 5000, "its metadata hold an integer of 5000 digits"),
        ("\x1b[31m", "Expecting value"),
    ],
)
def test_absurd_metadata_are_refused_in_one_line(metadata, message, tmp_path):
    (tmp_path / "a").write_bytes(header(metadata))
    with pytest.raises(ValueError, match=message) as error:
        native.read(tmp_path / "a")
    assert str(error.value).isprintable()


def test_numbers_that_are_none_come_as_none(tmp_path):
    (tmp_path / "a").write_bytes(header('[NaN, Infinity, 1e999, 1.5, "NaN"]'))
    assert native.read(tmp_path / "a")[1] == {"value": [None, None, None, 1.5, "NaN"]}


def test_tensors_of_absurdly_many_dimensions_are_refused(tmp_path):
    (tmp_path / "a").write_bytes(
        header("1", f'"a":{{"dtype":"F32","shape":[{",".join("1" * 10_000)}],"data_offsets":[0,4]}}')
    )
    with pytest.raises(ValueError, match="its tensors have more than 16 dimensions"):
        native.read(tmp_path / "a")


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
    with pytest.raises(
        ValueError, match=r"weights\.safetensors is not a complete safetensors file of latent_lab"
    ) as error:
        native.read(file)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04K\x01.", b"PK\x03\x04" + bytes(40), bytes(8) + b"[", b"\xff" * 8 + b"{"]
)
def test_other_formats_do_not_match(content, tmp_path):
    (tmp_path / "other").write_bytes(content)
    assert not native.matches(tmp_path / "other")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda tensors: tensors.pop("2.bias"), r"weights does not fit Sequential: missing \['2.bias'\]"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), r"unknown \['extra'\]"),
        (
            lambda tensors: tensors.update({"2.weight": torch.zeros(3, 5)}),
            r"shape \['2.weight \(3, 5\) instead of \(3, 4\)'\]",
        ),
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
    tensors = {
        name: value.half() if value.is_floating_point() else value for name, value in module.state_dict().items()
    }
    native.load_into(module.double(), tensors, "weights")
    assert {value.dtype for value in module.state_dict().values()} == {torch.float64, torch.int64}
    assert torch.equal(module.state_dict()["2.weight"], tensors["2.weight"].double())
