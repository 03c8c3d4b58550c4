"""Which attributes of a data set are targets, by the rule of latent_lab.attributes.targets:

    python experiments/targets/choose.py gan=sngan_mnist [samples=4096] [seeds=0,1,2] [among=NAME,NAME] [any override]

Prints the table of the first seed, and the targets of each; docs/datasets.md has the tables of the embedded generators.
"""

import sys

import latent_lab.cpu_torchvision  # noqa: F401  (before lightning)

import torch

from latent_lab.attributes.targets import choose_targets
from latent_lab.workflows.build import build_attributes, build_space, compose_config


def main(arguments: list[str]) -> None:
    """Print the table and the targets."""
    own = {"samples": "4096", "seeds": "0,1,2", "among": ""}
    own |= {key: value for key, _, value in (entry.partition("=") for entry in arguments) if key in own}
    config = compose_config("train", [entry for entry in arguments if entry.partition("=")[0] not in own])
    space, attributes = build_space(config.gan, 0), build_attributes(config.dataset, None)
    if attributes is None:
        raise SystemExit(f"dataset={config.dataset.name} measures no attributes")
    among = own["among"].split(",") if own["among"] else None
    for i, seed in enumerate(map(int, own["seeds"].split(","))):
        found = choose_targets(space, attributes, int(own["samples"]), torch.Generator().manual_seed(seed), 64, among)
        if i == 0:
            print(f"{found.measured} of {found.num} samples of {config.gan.name} measured, seed {seed}\n")
            print(found.table() + "\n")
        print(f"seed {seed}: targets: [{', '.join(found.targets)}]", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
