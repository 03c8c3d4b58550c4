"""Discover paths: ``python -m latent_lab.train method=curvilinear gan=sngan_mnist``."""

import hydra

from latent_lab.cli import CONF, one_line_errors


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
@one_line_errors
def main(config) -> None:
    from latent_lab.workflows.discover import discover

    discover(config)


if __name__ == "__main__":
    main()
