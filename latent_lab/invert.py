"""Invert pictures: ``python -m latent_lab.invert images=<file or folder> gan=<generator> inverter=<inverter>``."""

from latent_lab.workflows.command import command


@command("invert")
def main(config):
    """Invert images as the configuration says."""
    from latent_lab.workflows.invert import invert

    return invert(config)


if __name__ == "__main__":
    main()
