"""Invert pictures: ``python -m latent_lab.invert images=<file or folder> gan=<generator> inverter=<inverter>``."""

import hydra

from latent_lab.cli import CONF, one_line_errors


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="invert")
@one_line_errors
def main(config) -> None:
    from latent_lab.workflows.invert import invert

    invert(config)


if __name__ == "__main__":
    main()
