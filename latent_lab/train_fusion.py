"""Train StyleFusion's network of one division: ``python -m latent_lab.train_fusion gan=mobilestylegan_256``."""

from latent_lab.workflows.command import command


@command("train_fusion")
def main(config):
    """Train a fusion network as the configuration says."""
    from latent_lab.workflows.train_fusion import train_fusion

    return train_fusion(config)


if __name__ == "__main__":
    main()
