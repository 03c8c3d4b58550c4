"""Directions of continuous factors of variation, found from images that are transformed step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.console import log
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, Method, require_vector_size
from latent_lab.methods.transformations import make_parameters, transform
from latent_lab.ops.blur import gaussian_blur
from latent_lab.paths.base import Paths
from latent_lab.paths.calibrated import CalibratedPaths


class Trajectories(NamedTuple):
    """Latents that follow the images of a transformation.

    Arguments:
        start: Latents at which they begin, with shape :math:`(N, D)`.
        points: Latents at each amount, with shape :math:`(S, N, D)`.
        amounts: The amounts, in the transformation's unit, with shape :math:`(S,)`.
        errors: Remaining distance of the images, with shape :math:`(S, N)`.
    """

    start: Tensor
    points: Tensor
    amounts: Tensor
    errors: Tensor


class TrajectoryMethod(Method):
    r"""Directions and calibrated amounts of continuous factors of variation (Plumerault et al.).

    1. Trajectories: :math:`z_t = \arg\min_z \|K * m (G(z) - T_t(G(z_0)))\|^2`, begun at the solution of the step
    before, so that a large transformation is a sequence of small ones. K is a Gaussian blur, which weighs low
    frequencies: a generator cannot repeat every texture. m leaves out what the transformation takes from outside the
    image. 2. The points with the largest distances are dropped: their images were not reached. 3. A direction u and a
    monotone model g of the factor: :math:`\min_{u, g} \mathbb{E}\left(g(\langle u, z_t \rangle) - g(\langle u, z_0
    \rangle) - t\right)^2`.

    One unit of amount transforms by ``transformations[name]``, as far as the model goes, see :class:`CalibratedPaths`.

    References:
        | Controlling generative models with continuous factors of variations (Plumerault et al., 2020), Section 2
        | https://arxiv.org/abs/2001.10238

    Arguments:
        transformations: By name, the parameter of one unit of amount, see :func:`transform`; each is a path.
        num_trajectories: Latents that are followed, for each transformation; every fourth tests the model.
        steps: Steps of a trajectory to each side.
        largest: Amount at its ends.
        iterations: Steps of Adam at each amount.
        lr: Adam's learning rate of the latents.
        blur: Standard deviation of the Gaussian in shares of the image's side; 3 of 128 pixels in the published code.
        drop: Share of the points, those with the largest errors, that are left out.
        smoothness: Weight of the squared relative differences of neighbouring slopes of g.
        batch_size: Trajectories followed at once.
    """

    def __init__(
        self,
        transformations: Mapping[str, float],
        num_trajectories: int,
        steps: int = 5,
        largest: float = 1.5,
        iterations: int = 20,
        lr: float = 0.05,
        blur: float = 0.025,
        drop: float = 0.1,
        smoothness: float = 1.0,
        batch_size: int = 64,
    ) -> None:
        if min(num_trajectories // 4, steps, iterations) < 1 or largest <= 0 or blur <= 0 or not 0 <= drop < 1:
            raise ValueError(
                "method.num_trajectories must be at least 4, steps and iterations 1, largest and blur above 0, "
                f"drop in [0, 1), got {num_trajectories}, {steps}, {iterations}, {largest}, {blur} and {drop}"
            )
        self.transformations, self.num_trajectories, self.steps, self.largest = (
            transformations,
            num_trajectories,
            steps,
            largest,
        )
        self.iterations, self.lr, self.blur, self.drop = iterations, lr, blur, drop
        self.smoothness, self.batch_size = smoothness, batch_size

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Follow each transformation, and fit a path to it."""
        size = require_vector_size(space)
        units = make_parameters(self.transformations, space.generator.channels).to(space.device)
        prior = space.sample(4096, context.rng).latents
        spread = prior.var(0).mean().sqrt().item()  # of a projection: 1 in z
        paths = CalibratedPaths(size, len(units), extent=5 * spread).to(space.device).requires_grad_(False)
        paths.centre.copy_(prior.mean(0))
        context.findings["names"], context.findings["fit"] = list(self.transformations), {}
        for k, name in enumerate(self.transformations):
            found = [
                self.follow(space, space.sample(len(part), context.rng), units[k])
                for part in torch.arange(self.num_trajectories).split(self.batch_size)
            ]
            path, explained = self.calibrate(paths.centre, paths.extent, found)
            paths.weight[k], paths.log_slopes[k] = path.weight[0].detach(), path.log_slopes[0].detach()
            context.findings["fit"][name] = {
                "explained": explained,
                "error": torch.cat([part.errors for part in found], 1).mean().item(),
            }
            log.info(
                f"{name}: one direction explains {explained:.1%} of the variance of the amounts along "
                "held-out trajectories"
            )
        return paths

    def follow(self, space: LatentSpace, codes: Codes, unit: Tensor) -> Trajectories:
        """Follow the images of a batch to both sides of a transformation.

        Arguments:
            space: The latent space.
            codes: Codes at which the trajectories begin, N of them.
            unit: The transformation's parameters for one unit of amount, with shape :math:`(8,)`.
        """
        with torch.no_grad():
            images = space.decode(codes).float()
        farthest = space.radius(codes.latents).clamp_min(space.shape[0] ** 0.5)
        amounts = self.largest * torch.arange(1, self.steps + 1, device=space.device) / self.steps
        points, errors = [], []
        for sign in (-1.0, 1.0):
            latents = codes.latents
            for amount in sign * amounts:
                asked, known = transform(images, (amount * unit).expand(len(images), -1))
                latents, error = self.invert(space, codes.moved(latents), asked, known, farthest)
                points.append(latents)
                errors.append(error)
        return Trajectories(codes.latents, torch.stack(points), torch.cat([-amounts, amounts]), torch.stack(errors))

    def invert(
        self, space: LatentSpace, codes: Codes, asked: Tensor, known: Tensor, farthest: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Find latents :math:`(N, D)` whose images are nearest to those asked for. Return them and the distances
        :math:`(N,)`.

        Arguments:
            space: The latent space.
            codes: Codes to start from.
            asked: Images asked for, with shape :math:`(N, C, H, W)`.
            known: Mask of the pixels that count, with shape :math:`(N, 1, H, W)`.
            farthest: Longest latents allowed in z, with shape :math:`(N,)`.
        """
        latents = codes.latents.clone().requires_grad_()
        optimiser = torch.optim.Adam([latents], self.lr)

        def distance() -> Tensor:
            return (
                low_pass(known * (space.decode(codes.moved(latents)).float() - asked), self.blur)
                .square()
                .mean((1, 2, 3))
            )

        for _ in range(self.iterations):
            with torch.enable_grad():
                (latents.grad,) = torch.autograd.grad(distance().sum(), latents)
            optimiser.step()
            if space.name == "z":  # latents of N(0, I) stay in the ball of the prior, or no farther out than they began
                with torch.no_grad():
                    radius = torch.linalg.vector_norm(latents, dim=1)
                    latents *= (farthest / radius).clamp_max(1)[:, None]
        with torch.no_grad():
            return latents.detach(), distance()

    def calibrate(self, centre: Tensor, extent: float, found: list[Trajectories]) -> tuple[CalibratedPaths, float]:
        """Fit the one path that explains the trajectories best.

        Return it with the share of the amounts' variance that it explains on every fourth trajectory, which is held
        out.
        """
        start = torch.cat([part.start.expand_as(part.points) for part in found], 1) - centre
        end = torch.cat([part.points for part in found], 1) - centre
        amounts = torch.cat([part.amounts[:, None].expand_as(part.errors) for part in found], 1)
        errors = torch.cat([part.errors for part in found], 1)
        kept = errors <= errors.quantile(1 - self.drop)
        held = torch.arange(errors.shape[1], device=errors.device) % 4 == 3

        def points(chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            return start[chosen], end[chosen], amounts[chosen]

        begin, arrive, asked = points(kept & ~held)
        # a straight model first: its direction, and the slope that explains most; the model of the factor bends from
        # there
        direction = F.normalize((asked[:, None] * (arrive - begin)).mean(0), dim=0)
        moved = (arrive - begin) @ direction
        slope = ((moved * asked).sum() / moved.square().sum()).item()
        path = CalibratedPaths(len(centre), 1, extent, slope=slope).to(centre.device)
        path.weight.data.copy_(direction[None])

        def error(begin: Tensor, arrive: Tensor, asked: Tensor) -> Tensor:
            index = torch.zeros(len(asked), dtype=torch.long, device=asked.device)
            direction = path.directions()[0]
            return path.model(arrive @ direction, index) - path.model(begin @ direction, index) - asked

        optimiser = torch.optim.Adam(path.parameters(), 1e-2)
        for _ in range(200):
            loss = (
                error(begin, arrive, asked).square().mean() + self.smoothness * path.log_slopes.diff().square().mean()
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        begin, arrive, asked = points(kept & held)
        with torch.no_grad():
            return path, 1 - (error(begin, arrive, asked).square().sum() / asked.square().sum()).item()


def low_pass(differences: Tensor, share: float) -> Tensor:
    """Blur differences of images by a Gaussian with a standard deviation of a ``share`` of their side, zero outside."""
    sigma = share * differences.shape[-1]
    return gaussian_blur(differences, sigma, "zeros", radius=max(1, round(3 * sigma)))
