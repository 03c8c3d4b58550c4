"""Train a generator from scratch: ``python -m latent_lab.pretrain gan=sngan_mnist dataset=mnist``."""

import hydra

from latent_lab.cli import CONF, one_line_errors


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="pretrain")
@one_line_errors
def main(config) -> None:
    from latent_lab.workflows.pretrain import pretrain

    pretrain(config)


if __name__ == "__main__":
    main()
