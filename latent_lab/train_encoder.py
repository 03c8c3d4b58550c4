"""Train an encoder that inverts a generator: ``python -m latent_lab.train_encoder encoder=e4e
gan=mobilestylegan_256``."""

from latent_lab.workflows.command import command


@command("train_encoder")
def main(config):
    """Train an encoder as the configuration says."""
    from latent_lab.workflows.train_encoder import train_encoder

    return train_encoder(config)


if __name__ == "__main__":
    main()
