"""InterFaceGAN: normals of the hyperplanes between samples with and without an attribute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from latent_lab.console import log
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, Method, require_vector_size
from latent_lab.methods.scores import centre, measure_deviations, score_samples
from latent_lab.paths.base import Paths
from latent_lab.paths.linear import LinearPaths

SMALLEST_CLASS = 10  # samples; fewer say nothing about a direction


class Hyperplane(Method):
    r"""Directions across the boundaries of linear support vector machines.

    .. math:: z' = z + \varepsilon n_k, \qquad (w, b) = \arg\min \tfrac12 \|w\|^2 + C \sum_i \max(0, 1 - y_i (w^\top z_i
        + b))^2, \quad n = w / \|w\|

    Samples of the prior are scored; of each attribute the highest and the lowest are the two classes. A conditioned
    direction is projected onto the complement of those of other attributes. The edit starts at the latent (the
    published code starts its walks at the boundary). One unit of amount is one unit of latent length.

    References:
        | Interpreting the Latent Space of GANs for Semantic Face Editing (Shen et al., 2020), Section 2.2 and 3.2
        | https://arxiv.org/abs/1907.10786

    Arguments:
        attributes: Names of the dataset's attributes, a path each; None for all.
        conditions: Attributes that the path of an attribute must leave alone, by its name; all must be among
            ``attributes``.
        num_samples: Samples that are scored.
        share: Share of the samples at each end that make the two classes, at most 0.5; 0.02 in the paper.
        train: Share of each class that the machine is trained on; the rest validates it.
        penalty: Cost C of a violated margin.
        batch_size: Images decoded at once.
    """

    supervised = True

    def __init__(
        self,
        attributes: Sequence[str] | None,
        conditions: Mapping[str, Sequence[str]],
        num_samples: int,
        share: float,
        train: float = 0.7,
        penalty: float = 1.0,
        batch_size: int = 64,
    ) -> None:
        if not 0 < share <= 0.5 or not 0 < train < 1 or penalty <= 0:
            raise ValueError(
                f"method.share must be in (0, 0.5], train in (0, 1) and penalty above 0, got {share}, "
                f"{train} and {penalty}"
            )
        self.attributes, self.conditions = attributes, {name: list(others) for name, others in conditions.items()}
        self.num_samples, self.share, self.train, self.penalty, self.batch_size = (
            num_samples,
            share,
            train,
            penalty,
            batch_size,
        )

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Score samples of the prior and find the direction of each attribute."""
        size = require_vector_size(space)
        attributes = context.require_attributes(self.attributes)
        require_known(self.conditions, attributes.names)
        latents, values = score_samples(space, attributes, self.num_samples, context.rng, self.batch_size)
        measure_deviations(attributes, values)  # says what does not vary
        values = centre(attributes, values)
        normals, context.findings["accuracy"], context.findings["names"] = [], {}, list(attributes.names)
        for i, name in enumerate(attributes.names):
            normal, found = self.separate(latents, values[:, i], name, context.rng)
            normals.append(normal)
            context.findings["accuracy"][name] = found
            log.info(
                f"{name}: {found['validation']:.1%} of {found['validated']} held-out extremes on the "
                "right side, "
                f"{found['rest']:.1%} of the samples between; {found['not_found']} not measured"
            )
        paths = LinearPaths(size, len(normals), "free")
        paths.weight.data = condition(dict(zip(attributes.names, normals)), self.conditions).mT.contiguous()
        return paths.requires_grad_(False)

    def separate(
        self, latents: Tensor, values: Tensor, name: str, rng: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the unit normal :math:`(D,)` of the boundary, towards higher values, and the accuracies of the
        classifier.

        Arguments:
            latents: Samples, with shape :math:`(N, D)`.
            values: The attribute, with shape :math:`(N,)`; nan if it was not found.
            name: The attribute's name.
            rng: Source of the split into training and validation.

        Raises:
            ValueError: A class has too few samples.
        """
        found = values.isfinite()
        latents, values = latents[found], values[found]
        num = round(self.share * len(values))
        held = num - round(self.train * num)
        if min(num - held, held) < SMALLEST_CLASS:
            raise ValueError(
                f"method.num_samples, share and train must leave at least {SMALLEST_CLASS} samples of each class "
                f"of {name!r} to train and to validate, got {num - held} and {held} of {len(values)} that were measured"
            )
        order = values.argsort()
        if values[order[num - 1]] == values[order[-num]]:
            raise ValueError(
                f"method.attributes: {name!r} has too few samples of a class, "
                f"{1 - self.share:.0%} of {len(values)} are alike; "
                "take a smaller method.share, more method.num_samples, or leave it out"
            )
        low, high = (ends[torch.randperm(num, generator=rng)] for ends in (order[:num], order[-num:]))
        rest = order[num:-num]
        train = torch.cat([low[held:], high[held:]])
        sides = torch.cat([-torch.ones(num - held), torch.ones(num - held)])
        normal, offset = fit_support_vector_machine(latents[train], sides, self.penalty)

        def accuracy(negative: Tensor, positive: Tensor) -> float:
            wrong = (latents[negative] @ normal + offset > 0).sum() + (latents[positive] @ normal + offset <= 0).sum()
            return 1 - wrong.item() / max(1, len(negative) + len(positive))

        middle = len(rest) // 2
        accuracies = {
            "train": accuracy(low[held:], high[held:]),
            "validation": accuracy(low[:held], high[:held]),
            "rest": accuracy(rest[:middle], rest[middle:]),
        }
        return normal, accuracies | {"validated": 2 * held, "not_found": int((~found).sum())}


def fit_support_vector_machine(features: Tensor, sides: Tensor, penalty: float = 1.0) -> tuple[Tensor, float]:
    """Return the unit normal :math:`(D,)` and offset of a linear SVM with squared hinge loss, solved in the primal,
    where it is smooth and convex.

    Arguments:
        features: Points, with shape :math:`(N, D)`.
        sides: -1 or 1 for each, with shape :math:`(N,)`.
        penalty: Cost C of a violated margin.
    """
    x, y = features.double().numpy(), sides.double().numpy()
    x = np.concatenate([x, np.ones((len(x), 1))], 1)
    decay = np.append(np.ones(x.shape[1] - 1), 0.0)  # the offset is free

    def objective(weight: np.ndarray) -> tuple[float, np.ndarray]:
        margin = np.maximum(0.0, 1 - y * (x @ weight))
        value = 0.5 * (decay * weight) @ weight + penalty * (margin @ margin)
        return value, decay * weight - 2 * penalty * (x.T @ (y * margin))

    solution = minimize(
        objective,
        np.zeros(x.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-8},
    )
    weight = torch.from_numpy(solution.x)
    length = torch.linalg.vector_norm(weight[:-1])
    return (weight[:-1] / length).float(), (weight[-1] / length).item()


def require_known(conditions: Mapping[str, Sequence[str]], names: Sequence[str]) -> None:
    """Check that attributes are conditioned on others that are known.

    Raises:
        ValueError: They are not.
    """
    for name, others in conditions.items():
        unknown = [other for other in (name, *others) if other not in names]
        if unknown or name in others:
            raise ValueError(
                f"method.conditions must be other attributes among {list(names)}, got {name}: {list(others)}"
            )


def condition(normals: Mapping[str, Tensor], conditions: Mapping[str, Sequence[str]]) -> Tensor:
    """Return the unit normals :math:`(K, D)`, each without its part in the span of those that it is conditioned on.

    Raises:
        ValueError: Nothing is left of one.
    """
    result = []
    for name, normal in normals.items():
        others = conditions.get(name, ())
        if others:
            span = torch.stack([normals[other] for other in others], 1).double()
            normal = (
                normal.double()
                - span @ torch.linalg.lstsq(span, normal[:, None].double(), driver="gelsd").solution[:, 0]
            ).float()
        length = torch.linalg.vector_norm(normal)
        if length < 1e-3:
            raise ValueError(
                f"method.conditions: nothing of {name!r} is left without {list(others)}; condition it on fewer"
            )
        result.append(normal / length)
    return torch.stack(result)
