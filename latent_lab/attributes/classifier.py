"""A small classifier of images: its probabilities are attributes, its embedding an identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from latent_lab.attributes.base import Attributes, FeatureNetwork, Predictor
from latent_lab.checkpoints import native
from latent_lab.checkpoints.rebuild import rebuild
from latent_lab.ops.recorded import Recorded

WEIGHTS = Path(__file__).parent / "weights"


class Classifier(Recorded, nn.Module):
    """Strided convolutions, an embedding and a linear head, for images of 32x32 pixels.

    Arguments:
        image_channels: Channels C of an image.
        classes: Number of classes.
        widths: Channels of the convolutions, at most five of them.
        embedding: Size E of the embedding.
        kernel: Pixels of a convolution's side, odd.
    """

    def __init__(
        self,
        image_channels: int = 1,
        classes: int = 10,
        widths: Sequence[int] = (24, 48, 64),
        embedding: int = 64,
        kernel: int = 3,
    ) -> None:
        super().__init__()
        stages = []
        for inner, outer in zip((image_channels, *widths), widths):
            stages += [nn.Conv2d(inner, outer, kernel, stride=2, padding=kernel // 2), nn.BatchNorm2d(outer), nn.ReLU()]
        self.body = nn.Sequential(
            *stages, nn.Flatten(), nn.Linear((32 >> len(widths)) ** 2 * widths[-1], embedding), nn.ReLU()
        )
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(embedding, classes))

    def embed(self, images: Tensor) -> Tensor:
        """Return embeddings :math:`(N, E)` of images :math:`(N, C, 32, 32)` in [-1, 1]."""
        return self.body(images.float())

    def forward(self, images: Tensor) -> Tensor:
        """Return logits :math:`(N, classes)` of images :math:`(N, C, 32, 32)` in [-1, 1]."""
        return self.head(self.embed(images))


def load_classifier(weights: str) -> Classifier:
    """Load a classifier, frozen.

    Arguments:
        weights: A file, or the name of a classifier that the package ships.

    Raises:
        FileNotFoundError: It is neither.
    """
    file = Path(weights) if Path(weights).is_file() else WEIGHTS / f"{weights}.safetensors"
    if not file.is_file():
        shipped = sorted(file.stem for file in WEIGHTS.glob("*.safetensors"))
        raise FileNotFoundError(f"weights must be a file or one of {shipped}, got {weights!r}")
    tensors, metadata = native.read(file)
    return rebuild(lambda: Classifier(**metadata["config"]), tensors, file)


class ClassProbabilities(Attributes):
    """The probability of each class.

    Arguments:
        weights: A file, or the name of a shipped classifier.
        names: The classes' names, in the classifier's order.
    """

    def __init__(self, weights: str, names: Sequence[str]) -> None:
        super().__init__()
        self.classifier = load_classifier(weights)
        self.names = tuple(names)
        self.units, self.ranges = ("probability of a class",) * len(names), ((0.0, 1.0),) * len(names)
        if len(names) != self.classifier.config["classes"]:
            raise ValueError(f"names must be {self.classifier.config['classes']}, one a class, got {list(names)}")

    def forward(self, images: Tensor) -> Tensor:
        """Return the probabilities :math:`(N, classes)`."""
        return self.classifier(images).softmax(1)


class Confidence(Attributes):
    """The probability of the most likely class, which tells how sure a classifier is of an image.

    Arguments:
        weights: A file, or the name of a shipped classifier.
    """

    names, units, ranges = ("confidence",), ("probability of a class",), ((0.0, 1.0),)

    def __init__(self, weights: str) -> None:
        super().__init__()
        self.classifier = load_classifier(weights)

    def forward(self, images: Tensor) -> Tensor:
        """Return the highest probability of each image, :math:`(N, 1)`."""
        return self.classifier(images).softmax(1).amax(1, keepdim=True)


class ExpectedValues(Attributes):
    r"""Several attributes of few values each: the expected value under the class probabilities, :math:`\sum_i p_i v_i`.

    With the values 0 and 1 that is the probability of 1. The classifier's logits are the attributes' classes, one after
    another.

    Arguments:
        weights: A file, or the name of a shipped classifier.
        values: The values of each attribute's classes, by its name, in the classifier's order.
    """

    def __init__(self, weights: str, values: Mapping[str, Sequence[float]]) -> None:
        super().__init__()
        self.classifier = load_classifier(weights)
        self.names, self.sizes = tuple(values), [len(numbers) for numbers in values.values()]
        self.units = tuple("probability" if list(numbers) == [0, 1] else "share" for numbers in values.values())
        self.ranges = tuple((float(min(numbers)), float(max(numbers))) for numbers in values.values())
        if sum(self.sizes) != self.classifier.config["classes"]:
            raise ValueError(
                f"values must be {self.classifier.config['classes']} in all, one a class, got {sum(self.sizes)}"
            )
        self.register_buffer(
            "values",
            torch.tensor([float(number) for numbers in values.values() for number in numbers]),
            persistent=False,
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the expected values :math:`(N, A)`."""
        means = [
            logits.softmax(1) @ numbers
            for logits, numbers in zip(self.classifier(images).split(self.sizes, 1), self.values.split(self.sizes))
        ]
        return torch.stack(means, 1)


class ClassifierIdentity(Predictor):
    """The embedding of a classifier, which stands for what makes an image recognisable.

    Arguments:
        weights: A file, or the name of a shipped classifier.
    """

    def __init__(self, weights: str) -> None:
        super().__init__()
        self.classifier = load_classifier(weights)

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings :math:`(N, E)`."""
        return self.classifier.embed(images)


class ClassifierFeatures(FeatureNetwork):
    """The maps of a classifier's convolutions after their ReLU. Each is half as wide as the one before.

    Arguments:
        weights: A file, or the name of a shipped classifier.
    """

    def __init__(self, weights: str) -> None:
        super().__init__()
        classifier = load_classifier(weights)
        self.stages = nn.ModuleList(classifier.body[3 * i : 3 * i + 3] for i in range(len(classifier.config["widths"])))
        self.layers = tuple(f"conv{i + 1}" for i in range(len(self.stages)))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the maps :math:`(N, F, h, w)` by the name of their layer, ``conv1`` and so on."""
        maps, x = {}, images.float()
        for name, stage in zip(self.layers, self.stages):
            maps[name] = x = stage(x)
        return maps
