"""How well a data set's judges agree with the predictors that they judge: python experiments/targets/judges.py
gan=sngan_mnist [samples=4096] [seed=0] [any override of train]

Prints R2, the squared correlation over samples of the prior, of every attribute that both measure; docs/datasets.md.
"""

import sys

import latent_lab.cpu_torchvision  # noqa: F401  (before lightning)

import torch
from hydra.utils import instantiate

from latent_lab.ops.correlation import correlate
from latent_lab.workflows.build import build_attributes, build_space, compose_config


@torch.no_grad()
def main(arguments: list[str]) -> None:
    """Print the table."""
    own = {"samples": 4096, "seed": 0}
    own |= {key: int(value) for key, _, value in (entry.partition("=") for entry in arguments) if key in own}
    config = compose_config("train", [entry for entry in arguments if entry.partition("=")[0] not in own])
    if not config.dataset.get("judges"):
        raise SystemExit(f"dataset={config.dataset.name} has no judges")
    space, attributes = build_space(config.gan, 0), build_attributes(config.dataset, None)
    judges, rng, found = instantiate(config.dataset.judges).eval(), torch.Generator().manual_seed(own["seed"]), []
    for part in torch.arange(own["samples"]).split(64):
        codes = space.sample(len(part), rng)
        images = space.decode(codes).float()
        found.append([network.measure(space, codes, images) for network in (attributes, judges)])
    first, second = (torch.cat(values) for values in zip(*found))
    print("| attribute | R2 | mean | of the judge | deviation | of the judge |\n|---|---|---|---|---|---|")
    for j, name in enumerate(judges.names):
        i = attributes.names.index(name)
        both = torch.stack([first[:, i], second[:, j]], 1)
        both = both[both.isfinite().all(1)]
        r = correlate(both, torch.tensor([attributes.periods[i], judges.periods[j]]))[0, 1]
        (m, n), (d, e) = both.mean(0).tolist(), both.std(0).tolist()
        print(f"| {name} | {r**2:.3f} | {m:.3f} | {n:.3f} | {d:.3f} | {e:.3f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
