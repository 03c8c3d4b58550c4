"""Discover paths: ``python -m latent_lab.train method=curvilinear gan=sngan_mnist``."""

from latent_lab.workflows.command import command


@command("train")
def main(config) -> None:
    from latent_lab.workflows.discover import discover

    discover(config)


if __name__ == "__main__":
    main()
