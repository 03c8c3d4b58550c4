"""Edit images along discovered paths: ``python -m latent_lab.edit source=[0,1] run=<folder> 'edits={slant: 2}'``."""

import hydra

from latent_lab.cli import CONF, one_line_errors


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="edit")
@one_line_errors
def main(config) -> None:
    from latent_lab.workflows.edit import edit

    edit(config)


if __name__ == "__main__":
    main()
