"""InterFaceGAN: the machine against its optimality conditions, recovery of known factors, conditions, errors."""

from __future__ import annotations

import math

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes, Selection
from latent_lab.attributes.factors import TrueFactors
from latent_lab.gans.shapes import Shapes
from latent_lab.methods.base import Context
from latent_lab.methods.interfacegan import Hyperplane, condition, fit_support_vector_machine
from latent_lab.methods.scores import centre, score_samples

pytestmark = pytest.mark.usefixtures("spoken")

OPTIONS = dict(attributes=None, conditions={}, num_samples=600, share=0.1, batch_size=200)


class Corners(Attributes):
    """Four pixels of an image, one of which is an angle, one constant and one often not found."""

    names, units = ("grey", "angle", "still", "rare"), ("", "degrees", "", "")
    ranges = ((-1.0, 1.0), (-180.0, 180.0), (0.0, 0.0), (-1.0, 1.0))
    periods = (0.0, 360.0, 0.0, 0.0)

    def forward(self, images: Tensor) -> Tensor:
        grey, angle, rare = images[:, 0, 16, 16], 180 + 90 * images[:, 0, 8, 8], images[:, 0, 20, 20]
        angle = torch.where(angle > 180, angle - 360, angle)
        return torch.stack(
            [grey, angle, torch.zeros_like(grey), rare.where(grey > 0, torch.full_like(rare, math.nan))], 1
        )


def context(attributes: Attributes | None, seed: int = 0) -> Context:
    def measures(names):
        return attributes if names is None or attributes is None else Selection(attributes, names)

    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    return Context(trainer, seed, torch.Generator().manual_seed(seed), measures=measures)


def test_the_machine_is_at_the_minimum_of_its_objective(rng):
    x = torch.randn(300, 4, generator=rng, dtype=torch.float64)
    y = (
        x @ torch.tensor([1.0, -2.0, 0.5, 0.0]).double() + 0.3 + torch.randn(300, generator=rng, dtype=torch.float64)
    ).sign()
    normal, offset = fit_support_vector_machine(x, y, penalty=0.1)
    assert torch.linalg.vector_norm(normal).item() == pytest.approx(1, abs=1e-6)
    # the length is not returned: the one that minimises the objective along this ray
    length = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    weight = torch.cat([normal.double(), torch.tensor([offset]).double()])
    optimiser = torch.optim.LBFGS([length], max_iter=100, line_search_fn="strong_wolfe")

    def objective(w: Tensor) -> Tensor:
        return w[:-1].square().sum() / 2 + 0.1 * (1 - y * (x @ w[:-1] + w[-1])).clamp_min(0).square().sum()

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = objective(length * weight)
        loss.backward()
        return loss

    optimiser.step(closure)
    whole = (length.detach() * weight).requires_grad_()
    (gradient,) = torch.autograd.grad(objective(whole), whole)
    assert gradient.abs().max() < 1e-3


def test_known_factors_are_recovered(capsys):
    space, asked = Shapes(mixing=0.0, resolution=8).space(), context(TrueFactors())
    paths = Hyperplane(**OPTIONS | {"num_samples": 4000}).fit(space, asked)
    cosines = (paths.matrix().mT * space.generator.rotation).sum(1)
    assert cosines.min() > 0.95, cosines
    torch.testing.assert_close(torch.linalg.vector_norm(paths.matrix(), dim=0), torch.ones(7))
    assert all(found["validation"] > 0.95 for found in asked.findings["accuracy"].values())
    assert "held-out extremes on the right side" in capsys.readouterr().out


def test_conditioned_directions_leave_the_others_alone(rng):
    normals = {name: torch.nn.functional.normalize(torch.randn(6, generator=rng), dim=0) for name in "abcd"}
    found = condition(normals, {"a": ["b", "c", "d"], "b": ["a"]})
    stacked = torch.stack(list(normals.values()))
    torch.testing.assert_close(stacked[1:] @ found[0], torch.zeros(3), rtol=0, atol=1e-6)
    assert abs(found[1] @ stacked[0]) < 1e-6
    torch.testing.assert_close(found[2:], stacked[2:])
    torch.testing.assert_close(torch.linalg.vector_norm(found, dim=1), torch.ones(4))
    # the only direction of this span, up to its sign
    basis = torch.linalg.qr(stacked.mT.double())[0]
    rest = torch.linalg.svd(stacked[1:].double() @ basis)[2][-1]
    assert abs((basis @ rest) @ found[0].double()) == pytest.approx(1, abs=1e-5)


def test_what_depends_on_itself_is_an_error(rng):
    normal = torch.nn.functional.normalize(torch.randn(5, generator=rng), dim=0)
    with pytest.raises(
        ValueError, match=r"method.conditions: nothing of 'a' is left without \['b'\]; condition it on fewer"
    ):
        condition({"a": normal, "b": normal}, {"a": ["b"]})


def test_samples_where_nothing_was_found_are_counted_and_left_out(space):
    asked = context(Corners())
    Hyperplane(**OPTIONS | {"attributes": ["rare", "angle"]}).fit(space, asked)
    found = asked.findings["accuracy"]
    assert 0 < found["rare"]["not_found"] < 600 and found["angle"]["not_found"] == 0
    assert found["rare"]["validation"] > 0.7 and found["angle"]["validation"] > 0.7


def test_angles_are_taken_the_short_way_round():
    values = torch.tensor([[170.0], [-170.0], [180.0], [math.nan]])
    attributes = Selection(Corners(), ["angle"])
    torch.testing.assert_close(centre(attributes, values)[:3, 0], torch.tensor([-10.0, 10.0, 0.0]), rtol=0, atol=1e-3)
    assert centre(attributes, values)[3].isnan()


def test_scores_are_those_of_the_same_latents(space):
    attributes = Corners()
    latents, values = score_samples(space, attributes, 10, torch.Generator().manual_seed(0), batch_size=4)
    images = space.decode(space.sample(0, torch.Generator()).moved(latents))
    assert latents.shape == (10, 16)
    torch.testing.assert_close(attributes(images), values, equal_nan=True)


def test_a_spherical_space_is_seen_as_the_generator_does(sphere):
    latents, _ = score_samples(
        sphere, Selection(Corners8(), ["grey"]), 8, torch.Generator().manual_seed(0), batch_size=8
    )
    torch.testing.assert_close(latents.square().mean(1), torch.ones(8))


class Corners8(Corners):
    def forward(self, images: Tensor) -> Tensor:
        return images[:, 0, :2, :2].flatten(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"attributes": ["still"]},
            "method.attributes: 'still' does not vary over 600 samples of the prior; leave it out",
        ),
        (
            {"attributes": ["grey"], "num_samples": 200},
            "at least 10 samples of each class of 'grey' to train and to validate, got 14 and 6 of 200",
        ),
        (
            {"attributes": ["young"]},
            r"attributes must be different names among \['grey', 'angle', 'still', 'rare'\], got \['young'\]",
        ),
        (
            {"attributes": ["grey"], "conditions": {"grey": ["rare"]}},
            r"conditions must be other attributes among \['grey'\], got grey: \['rare'\]",
        ),
    ],
)
def test_errors_are_one_line(space, options, message):
    with pytest.raises(ValueError, match=message) as error:
        Hyperplane(**OPTIONS | options).fit(space, context(Corners()))
    assert "\n" not in str(error.value)


class Switch(Attributes):
    """1 for one image in fifty, else 0."""

    names, units, ranges = ("switch",), ("",), ((0.0, 1.0),)

    def forward(self, images: Tensor) -> Tensor:
        return (images[:, 0, 16, 16].abs() % 0.02 < 0.0004).float()[:, None]


def test_too_few_samples_of_a_class_are_an_error(space):
    with pytest.raises(ValueError, match="'switch' has too few samples of a class, 90% of 600 are alike"):
        Hyperplane(**OPTIONS).fit(space, context(Switch()))


def test_a_dataset_without_attributes_is_an_error(space):
    with pytest.raises(
        ValueError, match="attributes guide this one, and this dataset measures none; choose another dataset="
    ):
        Hyperplane(**OPTIONS).fit(space, context(None))


def test_options_have_ranges():
    with pytest.raises(
        ValueError,
        match=r"method.share must be in \(0, 0.5\], train in \(0, 1\) and penalty above 0, got 0.7, 0.7 and 1.0",
    ):
        Hyperplane(**OPTIONS | {"share": 0.7})
