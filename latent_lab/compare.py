"""Compare finished runs: ``python -m latent_lab.compare run='outputs/*/*'``."""

from latent_lab.workflows.command import command


@command("compare")
def main(config):
    """Compare runs as the configuration says."""
    from latent_lab.workflows.compare import compare

    return compare(config)


if __name__ == "__main__":
    main()
