"""Train StyleFusion's network of one division: ``python -m latent_lab.train_fusion gan=mobilestylegan_256``."""

import hydra

from latent_lab.cli import CONF, one_line_errors


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train_fusion")
@one_line_errors
def main(config) -> None:
    from latent_lab.workflows.train_fusion import train_fusion

    train_fusion(config)


if __name__ == "__main__":
    main()
