"""Image2StyleGAN++: ``python -m latent_lab.compose application=inpainting images=[photo.png] mask=[0.5,0.25,0.75,0.75]``."""

import hydra

from latent_lab.cli import CONF, one_line_errors


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="compose")
@one_line_errors
def main(config) -> None:
    from latent_lab.workflows.compose import compose_images

    compose_images(config)


if __name__ == "__main__":
    main()
