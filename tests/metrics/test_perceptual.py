"""LPIPS from weights that are here."""

import pytest
import torch
import torchvision

from latent_lab.metrics.perceptual import LPIPSDistance


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """SqueezeNet with random weights, in torchvision's format."""
    file = tmp_path_factory.mktemp("weights") / "squeeze.pth"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), file)
    return file


@pytest.mark.parametrize("channels, side", [(1, 32), (3, 64)])
def test_a_distance_of_pairs(backbone, rng, channels, side):
    distance = LPIPSDistance("squeeze", str(backbone))
    images = 2 * torch.rand(3, channels, side, side, generator=rng) - 1
    assert torch.equal(distance(images, images), torch.zeros(3))
    far, near = distance(images, -images), distance(images, images + 0.01)
    assert far.shape == (3,) and (far > near).all() and (near > 0).all()


def test_the_weights_of_the_file_are_used(backbone):
    tensors = torch.load(backbone, weights_only=True)
    first = LPIPSDistance("squeeze", str(backbone)).distance.net.slice1
    assert torch.equal(first[0].weight, tensors["features.0.weight"])


def test_errors_say_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="needs the weights of alex at .*nothing.pth; put alexnet"):
        LPIPSDistance("alex", str(tmp_path / "nothing.pth"))
    with pytest.raises(ValueError, match="net must be one of"):
        LPIPSDistance("resnet")
