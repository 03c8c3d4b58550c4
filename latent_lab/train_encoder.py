"""Train an encoder that inverts a generator: ``python -m latent_lab.train_encoder encoder=e4e gan=mobilestylegan_256``."""

import hydra

from latent_lab.cli import CONF, one_line_errors


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train_encoder")
@one_line_errors
def main(config) -> None:
    from latent_lab.workflows.train_encoder import train_encoder

    train_encoder(config)


if __name__ == "__main__":
    main()
