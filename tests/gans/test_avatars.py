"""The embedded colour generator and the classifier of its attributes, as they ship."""

from __future__ import annotations

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from latent_lab import load_generator
from latent_lab.attributes.colour import ColourAttributes
from latent_lab.installation import CONF


@pytest.fixture(scope="module")
def dataset():
    return OmegaConf.load(CONF / "dataset" / "avatars.yaml")


@pytest.fixture(scope="module")
def attributes(dataset):
    return instantiate(dataset.attributes)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    space = load_generator("sngan_avatars").space("z")
    return space.decode(space.sample(128, torch.Generator().manual_seed(0)))


def test_samples_are_varied_colour_images(images):
    assert images.shape == (128, 3, 32, 32) and images.abs().max() <= 1
    assert images.std(0).mean() > 0.3  # of one pixel over samples, on a scale of 2
    assert (images.amax(1) - images.amin(1)).mean() > 0.2  # grey would be 0
    apart = torch.cdist(images.flatten(1), images.flatten(1)) / images[0].numel() ** 0.5
    assert apart[~torch.eye(128, dtype=torch.bool)].min() > 0.1  # root mean square: no sample is drawn twice


def test_every_target_varies_over_samples(images, attributes, dataset):
    values = dict(zip(attributes.names, attributes(images).unbind(1)))
    assert set(dataset.targets) <= set(attributes.names)
    for name, (low, high) in zip(attributes.names, attributes.ranges):
        if name in dataset.targets:
            assert low <= values[name].min() and values[name].max() <= high
            assert values[name].std() > 0.2 * (high - low), name


def test_yes_and_no_are_both_common_and_mostly_certain(images, attributes, dataset):
    for name, value in zip(attributes.names, attributes(images).unbind(1)):
        if list(dataset.attributes.parts[0]["values"].get(name, [])) == [0, 1]:
            assert 0.1 < (value > 0.5).float().mean() < 0.9, name
            assert (2 * value - 1).abs().mean() > 0.5, name


def test_the_face_is_lighter_where_the_classifier_says_so(images, attributes):
    skin = attributes(images)[:, attributes.names.index("skin_luma")]
    patch = ColourAttributes()(images[:, :, 10:16, 10:22])[:, 0]  # brightness of the upper face
    assert torch.corrcoef(torch.stack([skin, patch]))[0, 1] > 0.5


def test_the_identity_tells_avatars_apart(images, dataset):
    embeddings = torch.nn.functional.normalize(instantiate(dataset.identity)(images), dim=1)
    alike = (embeddings @ embeddings.T)[~torch.eye(len(images), dtype=torch.bool)]
    assert embeddings.isfinite().all() and alike.mean() < 0.9 and alike.std() > 0.05
