"""Compare finished runs: ``python -m latent_lab.compare runs='outputs/*/*'``."""

import hydra

from latent_lab.cli import CONF, one_line_errors


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="compare")
@one_line_errors
def main(config) -> None:
    from latent_lab.workflows.compare import compare

    compare(config)


if __name__ == "__main__":
    main()
