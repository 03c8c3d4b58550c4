"""The paper's figure of sequential edits, one picture a method: python experiments/decurved/sequential_figure.py gan=sngan_mnist

Copies the pictures that the evaluation made (the same latents for all methods) to docs/results/decurved/.
"""

import shutil

from study import ROOT, options, results


def main() -> None:
    gan = options()[0]["gan"]
    target = ROOT / "docs" / "results" / "decurved"
    target.mkdir(parents=True, exist_ok=True)
    for label, runs in results().items():
        name = f"{gan}_sequence_{label.replace(', ', '-').replace(' ', '-')}.png"
        shutil.copy(runs[0]["folder"] / "pictures" / "sequences.png", target / name)
        print(target / name)


if __name__ == "__main__":
    main()
