"""How the generator's avatars compare with drawn ones, by the shipped classifier: python experiments/avatars/judge.py
[weights]

For each attribute its mean and the classifier's certainty (the mean probability of the likeliest class), on 10,000
samples and on the 1,000 drawings that no training saw.
"""

import sys

import latent_lab.cpu_torchvision  # noqa: F401  (before lightning)

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from latent_lab import load_generator
from latent_lab.attributes.classifier import ExpectedValues
from latent_lab.installation import CONF

SAMPLES, SEED = 10_000, 0


def measure(images: Tensor, attributes: ExpectedValues) -> tuple[Tensor, Tensor]:
    """Attributes and certainties, each :math:`(N, A)`."""
    logits = attributes.classifier(images).split(attributes.sizes, 1)
    return attributes(images), torch.stack([part.softmax(1).amax(1) for part in logits], 1)


@torch.no_grad()
def main() -> None:
    config = OmegaConf.merge({"seed": SEED}, {"dataset": OmegaConf.load(CONF / "dataset" / "avatars.yaml")})
    attributes = instantiate(config.dataset.attributes.parts[0])
    data = instantiate(config.dataset.data)
    data.prepare_data()
    data.setup()
    space = load_generator("sngan_avatars", weights=sys.argv[1] if len(sys.argv) > 1 else None).space("z")
    rng = torch.Generator().manual_seed(SEED)
    parts = [measure(space.decode(space.sample(250, rng)), attributes) for _ in range(SAMPLES // 250)]
    found, certainty = (torch.cat(part).mean(0) for part in zip(*parts))
    real, real_certainty = (part.mean(0) for part in measure(data.held_out_split()[0], attributes))
    print("| attribute | mean of drawings | of samples | certainty on drawings | on samples |\n|---|---|---|---|---|")
    for i, name in enumerate(attributes.names):
        print(f"| {name} | {real[i]:.3f} | {found[i]:.3f} | {real_certainty[i]:.3f} | {certainty[i]:.3f} |")


if __name__ == "__main__":
    main()
