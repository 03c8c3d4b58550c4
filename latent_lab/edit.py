"""Edit images along discovered paths: ``python -m latent_lab.edit source=[0,1] run=<folder> 'edits={slant: 2}'``."""

from latent_lab.workflows.command import command


@command("edit")
def main(config):
    """Edit images along the paths of a run as the configuration says."""
    from latent_lab.workflows.edit import edit

    return edit(config)


if __name__ == "__main__":
    main()
