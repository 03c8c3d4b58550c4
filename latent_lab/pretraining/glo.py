"""Generative latent optimisation: a generator and one latent for each image, fitted together without an adversary."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.image.kid import KernelInceptionDistance

from latent_lab.attributes.classifier import Classifier
from latent_lab.data.folder import FolderImages
from latent_lab.data.images import Batches, IdxImages
from latent_lab.gans.glo import GLO, project_to_ball
from latent_lab.ops.psnr import psnr
from latent_lab.pretraining.base import Pretraining


def laplacian_pyramid(images: Tensor, levels: int) -> list[Tensor]:
    """Return the Laplacian pyramid of images: the details that a binomial blur of 5 pixels removes at each level, each
    half as large as the one before, and last the image that is left."""
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype=images.dtype, device=images.device) / 16
    kernel = torch.outer(row, row).expand(images.shape[1], 1, 5, 5)
    pyramid = []
    for _ in range(levels):
        blurred = F.conv2d(F.pad(images, (2, 2, 2, 2), mode="replicate"), kernel, groups=images.shape[1])
        pyramid.append(images - blurred)
        images = F.avg_pool2d(blurred, 2)
    return [*pyramid, images]


class GLOPretraining(Pretraining):
    r"""Fits a generator G and a latent :math:`z_i` for every image :math:`x_i` by reconstruction alone.

    .. math:: \min_G \frac{1}{N} \sum_i \min_{\|z_i\| \le 1} \Big[ \sum_j 4^j \|L^j(G(z_i)) - L^j(x_i)\|_1
        + \lambda \|G(z_i) - x_i\|_2^2 \Big] / \text{size of an image}

    :math:`L^j` is level j of the Laplacian pyramid. Level j has :math:`4^j` times fewer values than the image: the
    weighted sum is the sum of the levels' mean errors. Latents begin as whitened principal components and are projected
    onto the unit ball after each step. Adam's moments of a latent change only in the steps that its image takes part
    in.

    References:
        | Optimizing the Latent Space of Generative Networks (Bojanowski et al., 2017), Eq. 2-4
        | https://arxiv.org/abs/1707.05776

    Arguments:
        generator, data, seed: See :class:`Pretraining`.
        lr_generator: Learning rate of the generator.
        lr_latents: Learning rate of the latents, whose optimiser is always the sparse Adam.
        levels: Levels of the pyramid, at least 1.
        squared: Weight :math:`\lambda` of the squared error.
        held_out_steps: Steps of Adam that the latents of held-out images are looked for with.
        training: Other options of :class:`Pretraining`.
    """

    def __init__(
        self,
        generator: GLO,
        data: IdxImages | FolderImages,
        seed: int,
        lr_generator: float,
        lr_latents: float,
        levels: int,
        squared: float,
        held_out_steps: int,
        **training,
    ) -> None:
        super().__init__(generator, data, seed, **training)
        (dim,) = generator.latent_shape("z")
        self.images = data.train_split()[0]
        pixels = self.images[0].numel()
        if dim >= min(len(self.images), pixels):
            raise ValueError(
                f"gan.generator.latent_dim must be below the {len(self.images)} training images and their {pixels} "
                f"values, got {dim}"
            )
        if not 1 <= levels <= generator.resolution.bit_length() - 3:  # the smallest one blurred has 4 pixels a side
            raise ValueError(
                f"gan.pretraining.levels must be between 1 and {generator.resolution.bit_length() - 3} for images of "
                f"{generator.resolution} pixels, got {levels}"
            )
        self.lr_generator, self.lr_latents, self.levels, self.squared = lr_generator, lr_latents, levels, squared
        self.held_out_steps = held_out_steps
        flat = self.images.flatten(1)
        _, deviations, components = torch.pca_lowrank(flat, dim, niter=4)
        self.register_buffer("centre", flat.mean(0), persistent=False)
        self.register_buffer("whitening", components * (len(flat) - 1) ** 0.5 / deviations, persistent=False)
        self.latents = nn.Embedding.from_pretrained(self.first_latents(self.images), freeze=False, sparse=True)

    def first_latents(self, images: Tensor) -> Tensor:
        """Return whitened principal components of images, on the unit ball."""
        return project_to_ball((images.flatten(1) - self.centre) @ self.whitening)

    def train_dataloader(self) -> DataLoader:
        order = Batches(len(self.images), self.data.batch_size, self.seed, self.global_rank, self.steps, self.step)
        return DataLoader(TensorDataset(self.images, torch.arange(len(self.images))), batch_sampler=order)

    def optimisers_of_run(self) -> list[torch.optim.Optimizer]:
        groups = [{"params": list(self.generator.parameters()), "lr": self.lr_generator}]
        return [
            self.groups_optimiser(groups),
            torch.optim.SparseAdam(self.latents.parameters(), self.lr_latents),
        ]

    def on_fit_start(self) -> None:
        if self.trainer.world_size > 1:
            raise ValueError(
                f"trainer.devices must be 1 for gan=glo, whose latents lie on one device, got {self.trainer.world_size}"
            )

    def loss(self, images: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each image, with shape :math:`(N,)`."""
        pairs = zip(laplacian_pyramid(images, self.levels), laplacian_pyramid(targets, self.levels))
        pyramid = sum((one - other).abs().flatten(1).mean(1) for one, other in pairs)
        return pyramid + self.squared * (images - targets).square().flatten(1).mean(1)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, index = batch
        loss = self.loss(self.generator(self.latents(index)), images).mean()
        self.require_finite({"loss": loss})
        optimisers = self.stepped_optimisers()
        for optimiser in optimisers:
            optimiser.zero_grad()
        self.manual_backward(loss)
        for optimiser in optimisers:
            optimiser.step()
        self.advance_schedules()
        with torch.no_grad():
            self.latents.weight[index] = project_to_ball(self.latents.weight[index])
        self.log("train/loss", loss.detach(), prog_bar=True)

    @torch.no_grad()
    def finish(self, batches: int) -> GLO:
        latents, generator = self.latents.weight.detach(), self.generator
        for module in generator.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None  # cumulative mean
        order = torch.randperm(len(latents), generator=torch.Generator().manual_seed(self.seed))
        for index in order.split(128)[:batches]:
            generator.train()(latents[index])
        generator.fit_prior(latents)
        return generator.eval().requires_grad_(False)

    @torch.enable_grad()
    def invert(self, generator: GLO, images: Tensor) -> Tensor:
        """Find latents of images that were not trained on, by the training's own loss from the training's own start."""
        latents = self.first_latents(images).requires_grad_()
        optimiser = torch.optim.Adam([latents], self.lr_latents)
        for _ in range(self.held_out_steps):
            optimiser.zero_grad()
            self.loss(generator(latents), images).sum().backward()
            optimiser.step()
            latents.data = project_to_ball(latents.data)
        return latents.detach()

    @torch.no_grad()
    def judge(self, generator: GLO, classifier: Classifier | None) -> tuple[dict[str, object], dict[str, Tensor]]:
        """Return the reconstruction (PSNR in dB) of training and of held-out images, and how far midpoints of latents
        are from the reconstructions (kernel distance of the classifier's features; ``floor`` is between the
        reconstructions of two halves). Pictures come with the scores."""
        num = min(2000, len(self.images))
        device = self.latents.weight.device
        held = self.data.held_out_split()[0][:200].to(device)
        order = torch.randperm(len(self.images), generator=torch.Generator().manual_seed(self.seed))[:num]
        learned, found = self.latents.weight[order], self.invert(generator, held)
        seen, unseen = generator(learned), generator(found)
        scores: dict[str, object] = {
            "reconstruction_training_psnr": psnr(seen, self.images[order].to(device)).mean().item(),
            "reconstruction_held_out_psnr": psnr(unseen, held).mean().item(),
        }
        one, other = learned[: num // 2], learned[num // 2 : num // 2 * 2]
        if classifier is not None:  # a network whose features tell these images apart
            middle = generator((one + other) / 2)
            halves = {"floor": seen[num // 2 :], "midpoints": middle}
            scores |= {
                f"interpolation_kid_{name}": kernel_distance(classifier.body, seen[: num // 2], part)
                for name, part in halves.items()
            }
        walk = torch.lerp(one[:5, None], other[:5, None], torch.linspace(0, 1, 20)[None, :, None])
        rows = [torch.cat([held[i : i + 20], unseen[i : i + 20]]) for i in (0, 20, 40) if len(held) >= i + 20]
        pictures = {"interpolation": generator(walk.flatten(0, 1))} | (
            {"reconstruction": torch.cat(rows)} if rows else {}
        )
        return scores, pictures


def kernel_distance(features: nn.Module, images: Tensor, others: Tensor) -> float:
    """Return the kernel distance (Binkowski et al., 2018, https://arxiv.org/abs/1801.01401) of two sets of images of
    one size, computed on all of them at once."""
    metric = KernelInceptionDistance(feature=features, subsets=1, subset_size=len(images), normalize=True)
    metric.to(images.device)
    metric.update(images, real=True)
    metric.update(others, real=False)
    return metric.compute()[0].item()
