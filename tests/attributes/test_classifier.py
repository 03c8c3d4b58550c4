"""The shipped classifier, its probabilities and its embedding."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from latent_lab.attributes.classifier import (
    Classifier,
    ClassifierIdentity,
    ClassProbabilities,
    Confidence,
    ExpectedValues,
    load_classifier,
)
from latent_lab.checkpoints import native

DIGITS = list("0123456789")


def stroke(name: str) -> torch.Tensor:
    """A one or a nought, drawn with a blurred pen."""
    rows, columns = torch.meshgrid(torch.arange(32.0) - 15.5, torch.arange(32.0) - 15.5, indexing="ij")
    distance = (
        (columns.abs() + 1e3 * (rows.abs() > 8))
        if name == "1"
        else ((rows / 8).square() + (columns / 5.5).square()).sqrt().sub(1).abs() * 6.5
    )
    return 2 * torch.sigmoid(4 * (1.5 - distance))[None, None] - 1


@pytest.fixture(scope="module")
def probabilities() -> ClassProbabilities:
    return ClassProbabilities("mnist_classifier", DIGITS)


def test_the_shipped_classifier_knows_a_one_from_a_nought(probabilities):
    values = probabilities(torch.cat([stroke("0"), stroke("1")]))
    assert values.argmax(1).tolist() == [0, 1] and values.amax(1).min() > 0.5


def test_confidence_is_the_largest_probability(probabilities, rng):
    images = torch.randn(6, 1, 32, 32, generator=rng).tanh().requires_grad_()
    confidence = Confidence("mnist_classifier")
    torch.testing.assert_close(confidence(images)[:, 0], probabilities(images).amax(1))
    (gradient,) = torch.autograd.grad(confidence(images).sum(), images)
    assert gradient.isfinite().all() and gradient.any()


def test_probabilities_are_probabilities(probabilities, rng):
    values = probabilities(torch.randn(6, 1, 32, 32, generator=rng).tanh())
    assert values.shape == (6, 10) and values.min() >= 0
    torch.testing.assert_close(values.sum(1), torch.ones(6))
    assert (probabilities.names, set(probabilities.units), set(probabilities.ranges)) == (
        tuple(DIGITS),
        {"probability of a class"},
        {(0.0, 1.0)},
    )
    assert len(probabilities.units) == len(probabilities.ranges) == len(probabilities.periods) == 10


def test_the_network_is_frozen_and_in_evaluation_mode(rng):
    classifier = load_classifier("mnist_classifier")
    assert not classifier.training and not any(p.requires_grad for p in classifier.parameters())
    images = torch.randn(4, 1, 32, 32, generator=rng)
    assert torch.equal(classifier(images), classifier(images))
    torch.testing.assert_close(classifier(images), torch.cat([classifier(image[None]) for image in images]))


def test_gradients_reach_the_images(probabilities):
    image = stroke("1").requires_grad_()
    probabilities(image)[0, 7].backward()
    assert image.grad.isfinite().all() and image.grad.any()


def test_the_identity_is_the_embedding_below_the_head(rng):
    identity, images = ClassifierIdentity("mnist_classifier"), torch.randn(3, 1, 32, 32, generator=rng)
    embedding = identity(images)
    assert embedding.shape == (3, identity.classifier.config["embedding"])
    torch.testing.assert_close(identity.classifier.head(embedding), identity.classifier(images))
    assert torch.equal(identity.measure(None, None, images), embedding)


def test_a_moved_one_is_more_of_a_one_than_a_nought_is():
    one, moved, nought = ClassifierIdentity("mnist_classifier")(
        torch.cat([stroke("1"), stroke("1").roll(1, 3), stroke("0")])
    )
    assert F.cosine_similarity(one, moved, dim=0) > F.cosine_similarity(one, nought, dim=0) + 0.1


@pytest.mark.parametrize("names", [DIGITS[:9], [*DIGITS, "10"], []])
def test_there_must_be_a_name_for_each_class(names):
    with pytest.raises(ValueError, match="names must be 10, one a class, got") as error:
        ClassProbabilities("mnist_classifier", names)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("make", [lambda name: ClassProbabilities(name, DIGITS), ClassifierIdentity])
def test_unknown_weights_are_answered_with_the_shipped_ones(make):
    with pytest.raises(
        FileNotFoundError,
        match=r"weights must be a file or one of \['avatar_classifier', 'mnist_classifier', .*\], got 'imagenet'",
    ) as error:
        make("imagenet")
    assert "\n" not in str(error.value)


def test_a_file_is_read_where_it_lies(tmp_path, rng):
    classifier = Classifier(3, 2, (4, 8, 8), 5)
    file = tmp_path / "mine.safetensors"
    file.write_bytes(native.to_bytes(classifier.state_dict(), {"config": classifier.config}))
    images = torch.randn(2, 3, 32, 32, generator=rng)
    torch.testing.assert_close(ClassProbabilities(str(file), ["a", "b"])(images), classifier.eval()(images).softmax(1))


@pytest.fixture
def two_heads(tmp_path) -> str:
    classifier = Classifier(3, 5, (4, 8, 8), 6)
    file = tmp_path / "mine.safetensors"
    file.write_bytes(native.to_bytes(classifier.state_dict(), {"config": classifier.config}))
    return str(file)


def test_expected_values_are_means_under_each_attributes_own_probabilities(two_heads, rng):
    attributes, images = (
        ExpectedValues(two_heads, {"hat": [0, 1], "luma": [0.1, 0.5, 0.6]}),
        torch.randn(4, 3, 32, 32, generator=rng),
    )
    logits = attributes.classifier(images)
    hat, luma = logits[:, :2].softmax(1), logits[:, 2:].softmax(1)
    torch.testing.assert_close(
        attributes(images), torch.stack([hat[:, 1], 0.1 * luma[:, 0] + 0.5 * luma[:, 1] + 0.6 * luma[:, 2]], 1)
    )
    assert (attributes.names, attributes.units) == (("hat", "luma"), ("probability", "share"))
    assert attributes.ranges == ((0.0, 1.0), (0.1, 0.6)) and attributes.periods == (0.0, 0.0)


@pytest.mark.parametrize("values", [{"hat": [0, 1]}, {"hat": [0, 1], "luma": [0, 1, 2, 3]}, {}])
def test_there_must_be_a_value_for_each_class(values, two_heads):
    with pytest.raises(ValueError, match=r"values must be 5 in all, one a class, got \d"):
        ExpectedValues(two_heads, values)


def test_an_image_of_the_tiny_generator_is_measured(space, rng, probabilities):
    codes = space.sample(2, rng)
    images = space.decode(codes)
    assert torch.equal(probabilities.measure(space, codes, images), probabilities(images))
