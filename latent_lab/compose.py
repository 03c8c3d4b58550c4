"""Image2StyleGAN++: ``python -m latent_lab.compose application=inpainting images=[photo.png]
mask=[0.5,0.25,0.75,0.75]``."""

from latent_lab.workflows.command import command


@command("compose")
def main(config):
    """Compose images of parts of others as the configuration says."""
    from latent_lab.workflows.compose import compose_images

    return compose_images(config)


if __name__ == "__main__":
    main()
