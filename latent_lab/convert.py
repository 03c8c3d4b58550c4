"""Convert a checkpoint: ``python -m latent_lab.convert source=<file> target=<file>.safetensors``."""

from latent_lab.workflows.command import command


@command("convert")
def main(config):
    """Convert a checkpoint as the configuration says."""
    from latent_lab.workflows.convert import convert

    return convert(config)


if __name__ == "__main__":
    main()
