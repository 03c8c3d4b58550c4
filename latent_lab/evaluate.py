"""Score the paths of finished runs: ``python -m latent_lab.evaluate run=<folder>``."""

import hydra

from latent_lab.cli import CONF, one_line_errors


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="evaluate")
@one_line_errors
def main(config) -> None:
    from latent_lab.workflows.evaluate import evaluate_runs

    evaluate_runs(config)


if __name__ == "__main__":
    main()
