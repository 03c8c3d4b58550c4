"""Convert a checkpoint: ``python -m latent_lab.convert source=<file> target=<file>.safetensors``."""

import hydra

from latent_lab.cli import CONF, one_line_errors


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="convert")
@one_line_errors
def main(config) -> None:
    from latent_lab.workflows.convert import convert

    convert(config)


if __name__ == "__main__":
    main()
