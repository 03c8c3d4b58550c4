"""Feature networks, and the distance of images by their maps."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from torch import Tensor

from latent_lab.attributes.base import FeatureNetwork
from latent_lab.attributes.classifier import ClassifierFeatures, load_classifier
from latent_lab.attributes.faces.faceres import FaceResFeatures
from latent_lab.attributes.vgg16 import VGG16Features
from latent_lab.checkpoints.face_packages import folder
from latent_lab.inversion.perceptual import FeatureDistance
from tests.test_configs import choices, composed

pytestmark = pytest.mark.slow


class Shifts(FeatureNetwork):
    """Maps that can be written down: the image, and its 2x2 means, doubled."""

    layers = ("pixels", "means")

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"pixels": images, "means": 2 * F.avg_pool2d(images, 2)}


@pytest.fixture
def pair(rng) -> tuple[Tensor, Tensor]:
    return tuple(torch.rand(3, 2, 8, 8, generator=rng, dtype=torch.float64) * 2 - 1 for _ in range(2))


def test_distance_is_the_formula(pair):
    one, other = pair
    expected = (one - other).square().mean((1, 2, 3)) + 4 * F.avg_pool2d(one - other, 2).square().mean((1, 2, 3))
    distance = FeatureDistance(Shifts())
    torch.testing.assert_close(distance(one, other), expected)
    torch.testing.assert_close(distance(one, distance.maps(other)), expected)
    assert not distance(one, one).any()
    torch.testing.assert_close(
        FeatureDistance(Shifts(), ["means"])(one, other), 4 * F.avg_pool2d(one - other, 2).square().mean((1, 2, 3))
    )


def test_normalised_distance_does_not_see_the_scale_of_a_network(pair):
    one, other = pair
    distance = FeatureDistance(Shifts(), ["means"], normalised=True)
    cosine = F.cosine_similarity(F.avg_pool2d(one, 2), F.avg_pool2d(other, 2))
    torch.testing.assert_close(distance(one, other), (2 - 2 * cosine).mean((1, 2)), atol=1e-6, rtol=1e-6)


def test_what_a_mask_leaves_out_does_not_count(pair):
    one, other = pair
    distance, mask = FeatureDistance(Shifts()), torch.zeros(3, 1, 8, 8, dtype=torch.float64)
    mask[:, :, 2:6, 4:] = 1
    inside = mask * one + (1 - mask) * other
    torch.testing.assert_close(distance(one, other, mask), distance(inside, other))
    torch.testing.assert_close(distance(one, other, torch.ones_like(mask)), distance(one, other))
    one.requires_grad_()
    (gradient,) = torch.autograd.grad(distance(one, other, mask).sum(), one)
    assert not gradient[(mask == 0).expand_as(one)].any() and gradient[mask.bool().expand_as(one)].all()


def test_unknown_layers_are_refused():
    with pytest.raises(ValueError, match=r"layers must be among \['pixels', 'means'\], got \['conv'\]"):
        FeatureDistance(Shifts(), ["conv"])


def test_classifier_features_are_its_own(rng):
    images = torch.rand(2, 1, 32, 32, generator=rng) * 2 - 1
    features, classifier = ClassifierFeatures("mnist_classifier"), load_classifier("mnist_classifier")
    maps = features(images)
    assert tuple(maps) == features.layers == ("conv1", "conv2", "conv3")
    torch.testing.assert_close(classifier.body[-3:](maps["conv3"]), classifier.embed(images))


def vgg16_file(path, rng) -> dict[str, Tensor]:
    """A file with the names and shapes of torchvision's, but for the head's sizes, with random numbers."""
    import torchvision

    with torch.device("meta"):
        network = torchvision.models.vgg16(weights=None)
    shapes = {name: value.shape for name, value in network.features.state_dict().items()}
    state = {f"features.{name}": torch.randn(shape, generator=rng) * 0.05 for name, shape in shapes.items()}
    torch.save(state | {f"classifier.{name}": torch.zeros(1) for name in network.classifier.state_dict()}, path)
    return state


def test_vgg16_has_the_published_layers(tmp_path, rng):
    import torchvision

    state = vgg16_file(tmp_path / "vgg16.pth", rng)
    features = VGG16Features(str(tmp_path / "vgg16.pth"), size=16)
    images = torch.rand(2, 1, 16, 16, generator=rng) * 2 - 1
    maps = features(images)
    assert [tuple(values.shape[1:]) for values in maps.values()] == [
        (64, 16, 16),
        (64, 16, 16),
        (256, 4, 4),
        (512, 2, 2),
    ]
    network = torchvision.models.vgg16(weights=None).features
    network.load_state_dict({name.removeprefix("features."): value for name, value in state.items()})
    mean, std = (torch.tensor(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    x = ((images + 1) / 2 - mean) / std
    torch.testing.assert_close(maps["conv3_2"], network[:14](x), atol=1e-5, rtol=1e-4)
    assert features(torch.rand(1, 3, 64, 64, generator=rng))["conv1_1"].shape[2:] == (16, 16)
    with pytest.raises(ValueError, match=r"layers must be among .*, got \['conv9_1'\]"):
        VGG16Features(str(tmp_path / "vgg16.pth"), ["conv9_1"])
    with pytest.raises(FileNotFoundError, match="VGG: weights must be a file"):
        VGG16Features(str(tmp_path / "none.pth"))


@pytest.mark.faces
@pytest.mark.skipif(
    not (folder() / "faceres.json").is_file(), reason="the predictors of faces are not installed: make faces"
)
def test_faceres_maps_reach_the_pixels(rng):
    images = (torch.rand(2, 3, 64, 64, generator=rng) * 2 - 1).requires_grad_()
    maps = FaceResFeatures()(images)
    assert [values.shape[2] for values in maps.values()] == [32, 16, 8, 4]
    sum(values.square().mean() for values in maps.values()).backward()
    assert (images.grad != 0).float().mean() > 0.9  # the whole image, not the crop of the face


@pytest.mark.parametrize("dataset", choices("dataset"))
def test_every_data_set_says_what_inverters_compare_by(dataset):
    features = composed("train", f"dataset={dataset}").dataset.features
    if features is not None:
        try:
            built = instantiate(features)
        except Exception as error:  # Hydra's, around what is missing here
            assert isinstance(error.__cause__, FileNotFoundError)
        else:
            assert isinstance(built, FeatureNetwork) and not any(value.requires_grad for value in built.parameters())
