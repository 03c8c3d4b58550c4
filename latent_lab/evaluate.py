"""Score the paths of finished runs: ``python -m latent_lab.evaluate run=<folder>``."""

from latent_lab.workflows.command import command


@command("evaluate")
def main(config):
    """Evaluate runs as the configuration says."""
    from latent_lab.workflows.evaluate import evaluate_runs

    return evaluate_runs(config)


if __name__ == "__main__":
    main()
