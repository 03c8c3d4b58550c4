"""Potential flows: paths down potentials that obey a wave equation. A classifier tells them apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, require_vector_size
from latent_lab.methods.path_training import TrainedPaths
from latent_lab.paths.base import Paths
from latent_lab.paths.potential import PotentialPaths


class PotentialFlow(TrainedPaths):
    r"""Potentials :math:`u_k(z, t)` with speeds :math:`c_k`, trained along the flows :math:`z_{t+1} = z_t + \nabla_z
    u_k(z_t, t)` that they drive.

    .. math:: L = \mathrm{CE}(R(G(z_{t+1}), G(z_{t+2})), k) + \lambda \Big[ \overline{\|\nabla u_k(z_0, 0)\|^2}
        + \tfrac{1}{T} \sum_s \overline{(\partial_t^2 u_k - c_k^2 \nabla^2 u_k)^2} - \overline{\|J_G(z_{t+1}) \nabla
        u_k(z_{t+1}, t + 1)\|^2} \Big]

    The terms of the bracket: the flow starts at rest, the potential is a wave, and a step changes the image as much as
    it can; bars are means over coordinates or pixels, t is uniform over 0 .. T - 2. The Laplacian is estimated by two
    independent probes, :math:`v^\top \nabla^2 u\, v`, whose residuals are multiplied: their product has the square's
    mean. (The published code sums the Hessian's rows instead, which is another operator.)

    References:
        | Latent Traversals in Generative Models as Potential Flows (Song et al., 2023), Section 3
        | https://arxiv.org/abs/2304.12944

    Arguments:
        num_paths: Number K of paths.
        times: Number T of time steps.
        bounded: See :class:`PotentialPaths`.
        reconstructor: Makes the classifier R from ``image_channels`` and ``num_paths``; its amounts are not used.
        weight: :math:`\lambda`.
        batch_size: Flows a step, at least 2.
        lr, training: See :class:`TrainedPaths`.
    """

    def __init__(
        self,
        num_paths: int,
        times: int,
        bounded: bool,
        reconstructor: Callable[..., nn.Module],
        weight: float,
        batch_size: int,
        lr: float,
        **training,
    ) -> None:
        super().__init__(batch_size, lr, **training)
        if batch_size < 2 or weight < 0:
            raise ValueError(
                f"method.batch_size must be at least 2 and weight at least 0, got {batch_size} and {weight}"
            )
        self.num_paths, self.times, self.bounded, self.reconstructor, self.weight = (
            num_paths,
            times,
            bounded,
            reconstructor,
            weight,
        )

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Train the potentials, their speeds and the classifier."""
        paths = PotentialPaths(require_vector_size(space), self.num_paths, self.times, self.bounded, context.rng)
        with torch.random.fork_rng():
            torch.manual_seed(context.rng.initial_seed())  # torch's layers initialise from the global source
            reconstructor = self.reconstructor(image_channels=space.generator.channels, num_paths=self.num_paths)
        speeds = nn.Embedding.from_pretrained(torch.ones(self.num_paths, 1), freeze=False)
        helper = nn.ModuleDict({"reconstructor": reconstructor, "speeds": speeds})

        def loss(paths: PotentialPaths, codes: Codes, rng: torch.Generator) -> Mapping[str, Tensor]:
            return self.compute_terms(space, paths, helper, codes, rng)

        return self.train(space, paths, loss, context, helper).requires_grad_(False)

    def compute_terms(
        self, space: LatentSpace, paths: PotentialPaths, helper: nn.ModuleDict, codes: Codes, rng: torch.Generator
    ) -> dict[str, Tensor]:
        """Return the loss of a batch of flows and its parts."""
        num, device = len(codes), codes.latents.device
        k = torch.randint(self.num_paths, (num,), generator=rng).to(device)
        stop = torch.randint(self.times - 1, (1,), generator=rng).item()  # one for the batch, as published
        z, wave = codes.latents, torch.zeros((), device=device)
        potential, speeds, at = paths.potentials(k), helper["speeds"](k).squeeze(1), []
        for t in range(self.times):
            probes = [2.0 * torch.randint(2, z.shape, generator=rng).to(z) - 1 for _ in range(2)]
            gradient, residuals = compute_wave_residuals(
                potential, speeds, z, torch.full((num,), float(t), device=device), probes
            )
            wave = wave + (residuals[0] * residuals[1]).mean() / self.times
            if t == 0:
                rest = gradient.square().mean()
            at.append((z, gradient))
            z = z + gradient
        start, move = at[stop + 1]
        before, change = torch.func.jvp(lambda latents: space.decode(codes.moved(latents)), (start,), (move,))
        logits, _ = helper["reconstructor"](before, space.decode(codes.moved(start + move)))
        strength = change.float().square().mean()
        cross_entropy = F.cross_entropy(logits.float(), k)
        return {
            "loss": cross_entropy + self.weight * (rest + wave - strength),
            "accuracy": (logits.argmax(1) == k).float().mean(),
            "wave": wave,
            "strength": strength,
            "length": torch.linalg.vector_norm(move, dim=1).mean(),
        }


def compute_wave_residuals(
    potential: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    speeds: Tensor,
    latents: Tensor,
    t: Tensor,
    probes: list[Tensor],
) -> tuple[Tensor, list[Tensor]]:
    r"""Return the gradient :math:`\nabla_z u`, and :math:`\partial_t^2 u - c^2\, v^\top \nabla_z^2 u\, v` :math:`(N,)`
    for each probe v."""
    t = t.clone().requires_grad_()
    z = latents if latents.requires_grad else latents.clone().requires_grad_()
    value, gradient = potential(z, t)
    (rate,) = torch.autograd.grad(value.sum(), t, create_graph=True)
    (acceleration,) = torch.autograd.grad(rate.sum(), t, create_graph=True)
    residuals = []
    for probe in probes:
        (product,) = torch.autograd.grad((gradient * probe).sum(), z, create_graph=True)
        residuals.append(acceleration - speeds.square() * (product * probe).sum(1))
    return gradient, residuals
