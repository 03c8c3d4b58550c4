"""Discover paths: ``python -m latent_lab.train method=curvilinear gan=sngan_mnist``."""

from latent_lab.workflows.command import command


@command("train")
def main(config):
    """Discover paths as the configuration says."""
    from latent_lab.workflows.discover import discover

    return discover(config)


if __name__ == "__main__":
    main()
