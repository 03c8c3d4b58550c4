"""Train a generator from scratch: ``python -m latent_lab.pretrain gan=sngan_mnist dataset=mnist``."""

from latent_lab.workflows.command import command


@command("pretrain")
def main(config):
    """Pretrain a generator as the configuration says."""
    from latent_lab.workflows.pretrain import pretrain

    return pretrain(config)


if __name__ == "__main__":
    main()
