"""The effect of the order of two edits, by hand."""

from __future__ import annotations

import pytest
import torch

from latent_lab.attributes.base import Attributes
from latent_lab.edits.views import View
from latent_lab.evaluation.subject import Subject
from latent_lab.metrics.base import Bootstrap, Setting
from latent_lab.metrics.commutativity import Commutativity, additivity_error, relative_distance
from latent_lab.metrics.views import Views

NAN = float("nan")


class Angles(Attributes):
    """Two attributes, of which the first is an angle in degrees."""

    names, units, ranges, periods = ("angle", "size"), ("degrees", ""), ((-180.0, 180.0), (0.0, 9.0)), (360.0, 0.0)

    def forward(self, images):
        raise NotImplementedError


def view(*rows: tuple[float, ...], attributes: list | None = None) -> View:
    """The same numbers as latents, as an image of two pixels and as attributes."""
    values = torch.tensor(rows, dtype=torch.float64)
    measured = values if attributes is None else torch.tensor(attributes, dtype=torch.float64)
    return View(values, values.reshape(len(rows), 1, 1, 2), measured)


def test_the_distance_is_relative_to_the_edit():
    one, other, start = (torch.tensor(rows) for rows in ([[3.0, 4], [1, 3]], [[3.0, 3], [1, 2]], [[0.0, 0], [1, 1]]))
    torch.testing.assert_close(relative_distance(one, other, start), torch.tensor([1 / 5, 1 / 2]))


def test_edits_that_do_nothing_have_no_error_that_could_be_good():
    z = torch.randn(3, 4)
    assert relative_distance(z, z, z).isnan().all()
    assert additivity_error(z, z, z, z).isnan().all()


def test_the_scale_of_images_changes_no_error(rng):
    a, b, o = (torch.randn(5, 3, 4, 4, generator=rng, dtype=torch.float64) for _ in range(3))
    torch.testing.assert_close(relative_distance(1e-9 * a, 1e-9 * b, 1e-9 * o), relative_distance(a, b, o))


def test_changes_that_add_up_have_no_error(rng):
    x, one, other = (torch.randn(4, 1, 3, 3, generator=rng, dtype=torch.float64) for _ in range(3))
    torch.testing.assert_close(
        additivity_error(x + one + other, x + one, x + other, x), torch.zeros(4, dtype=torch.float64)
    )
    # a third part that both together make, as large as both
    extra = additivity_error(x + one + other + (one + other), x + one, x + other, x)
    torch.testing.assert_close(extra, torch.full((4,), 0.5, dtype=torch.float64))


def observed() -> dict[str, torch.Tensor]:
    """Two latents, one pair of each."""
    sequences = {
        "": view((0, 0), (1, 1), attributes=[[170, 0], [0, 1]]),
        "k": view((3, 0), (1, 2)),
        "l": view((0, 4), (1, 2)),
        "kl": view((3, 4), (1, 3), attributes=[[-170, 0], [0, 3]]),
        "lk": view((3, 3), (1, 2), attributes=[[180, 0], [0, 2]]),
        "klKL": view((0.3, 0.4), (1, 2), attributes=[[170, 0], [0, NAN]]),
    }
    subject = Subject(None, Silent(), Angles())
    deviation, columns = torch.tensor([10.0, 1.0], dtype=torch.float64), torch.tensor([0, 1])
    positions = torch.tensor([[[0, 1]], [[1, 0]]])
    return Commutativity().observe(Views(subject, 2, sequences, None, positions, deviation=deviation, columns=columns))


class Silent:
    def bind(self, attributes):
        pass


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("swap/latents", [0.2, 0.5]),
        ("swap/images", [0.2, 0.5]),
        ("return/latents", [0.1, 0.5]),
        ("return/images", [0.1, 0.5]),
        ("swap/attributes", [0.5, 0.5]),  # 10 of 20 degrees the short way round, 1 of 2
        ("return/attributes", [0.0, NAN]),
        ("additivity", [0.0, 0.0]),
    ],
)
def test_each_level_and_form_by_hand(name, expected):
    wanted = torch.tensor(expected, dtype=torch.float64)[:, None]
    torch.testing.assert_close(observed()[name], wanted, equal_nan=True)


def test_scores_are_medians_over_latents():
    rows = {"swap/latents": torch.tensor([[0.1], [0.2], [9.0]]), "additivity": torch.tensor([[1.0], [NAN], [3.0]])}
    bootstrap = Bootstrap(3, 50, torch.Generator().manual_seed(0))
    scores = {score.name: score for score in Commutativity().scores(rows, Setting(None, 0, bootstrap))}
    assert scores["commutativity/swap/latents"].value == pytest.approx(0.2)
    assert scores["commutativity/swap/latents"].low >= 0.1 and scores["commutativity/swap/latents"].high <= 9.0
    assert scores["additivity/images"].value == 1.0  # the lower one of two
