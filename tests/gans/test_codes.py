"""Codes as a collection of N images: length, parts, joins, devices and what is given."""

import copy
import pickle
from dataclasses import FrozenInstanceError, fields

import pytest
import torch

from latent_lab.gans.codes import Codes


def some(num: int, seed: int = 0, shape: tuple[int, ...] = (3,)) -> Codes:
    rng = torch.Generator().manual_seed(seed)
    return Codes(
        torch.randn(num, *shape, generator=rng),
        {"label": torch.randint(9, (num,), generator=rng), "noise.0": torch.randn(num, 1, 2, 2, generator=rng)},
    )


def same(one: Codes, other: Codes) -> bool:
    return list(one.given) == list(other.given) and all(
        torch.equal(a, b) for a, b in zip([one.latents, *one.given.values()], [other.latents, *other.given.values()])
    )


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("sizes", [[0], [1], [2, 3], [1, 0, 4], [0, 0], [3, 1, 2, 1]])
def test_joined_codes_fall_into_the_same_parts(sizes, rows):
    parts = [some(num, seed, (2, 3) if rows else (3,)) for seed, num in enumerate(sizes)]
    whole, start = Codes.cat(parts), 0
    assert len(whole) == sum(sizes)
    for part in parts:
        assert same(whole.select(slice(start, start + len(part))), part)
        start += len(part)


@pytest.mark.parametrize("num", [0, 1, 4])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_repeated_codes_are_each_code_in_a_row(num, times):
    codes = some(num)
    many = codes.repeat(times)
    assert len(many) == num * times
    for offset in range(times):
        assert same(many.select(slice(offset, None, times)), codes)


def test_parts_of_one_kind_alone_are_joined():
    one = some(2)
    with pytest.raises(ValueError, match=r"same names in given, got \['label', 'noise.0'\] and \['noise.0'\]$"):
        Codes.cat([one, one.without("label")])
    with pytest.raises(ValueError, match="parts must be at least one Codes, got none"):
        Codes.cat([])
    other = Codes(one.latents, dict(reversed(one.given.items())))
    assert list(Codes.cat([one, other]).given) == list(one.given)


def test_each_part_of_codes_has_n_first():
    with pytest.raises(ValueError, match=r"given must hold 2 of each, as many as latents, got label of shape \(3,\)$"):
        Codes(torch.zeros(2, 3), {"label": torch.zeros(3)})
    with pytest.raises(ValueError, match=r"got label of shape \(\)"):
        Codes(torch.zeros(2, 3), {"label": torch.tensor(1)})
    with pytest.raises(ValueError, match="latents must have the number of images first"):
        Codes(torch.tensor(1.0))
    with pytest.raises(ValueError, match="given must hold 1 of each"):
        some(2).moved(torch.zeros(1, 3))


def test_what_is_given_can_be_changed_by_name():
    codes = some(2)
    more = codes.with_given({"noise.1": torch.ones(2)}, truncation=torch.zeros(2), label=torch.ones(2))
    assert list(more.given) == ["label", "noise.0", "noise.1", "truncation"] and more.given["label"].tolist() == [1, 1]
    assert list(codes.given) == ["label", "noise.0"], "codes are never changed in place"
    assert same(more.without("noise.1", "truncation", "unknown"), codes.with_given(label=torch.ones(2)))
    assert same(codes.with_given(), codes) and same(codes.without(), codes)
    assert codes.with_given(given=torch.ones(2)).given["given"].tolist() == [1, 1]


def test_a_type_changes_floating_point_tensors_alone():
    halved = some(2).to(torch.float16)
    assert halved.latents.dtype == halved.given["noise.0"].dtype == torch.float16
    assert halved.given["label"].dtype == torch.int64
    with pytest.raises(ValueError, match="target must be a device or a floating-point type, got torch.int64"):
        some(2).to(torch.int64)


@pytest.mark.parametrize("target", ["meta", torch.device("meta")])
def test_a_device_takes_all_tensors(target):
    there = some(2).to(target)
    assert {tensor.device.type for tensor in (there.latents, *there.given.values())} == {"meta"} and len(there) == 2


def test_codes_cannot_be_changed_and_travel_between_processes():
    codes = some(2)
    assert [field.name for field in fields(codes)] == ["latents", "given"]
    with pytest.raises(FrozenInstanceError):
        codes.latents = torch.zeros(2, 3)
    assert same(pickle.loads(pickle.dumps(codes)), codes) and same(copy.deepcopy(codes), codes)
    assert codes == codes and codes != some(2) and codes in {codes}  # by identity: tensors have no one truth
    assert Codes(torch.zeros(2, 3)).given == {}
