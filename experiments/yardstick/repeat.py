"""Whether intervals over latents are as wide as another draw of latents asks.

    python experiments/yardstick/repeat.py [gan=sngan_mnist] [evaluation=study] [score=selectivity/0.5]

Of each run of study.py it takes two draws, and counts how often their scores differ by less than sqrt(2) times the
mean half-width of their printed intervals; a 95 % interval should give 95 %.
"""

from __future__ import annotations

import itertools
import json
import sys

from study import ROOT


def main() -> None:
    """Count, and print one line."""
    options = {"gan": "sngan_mnist", "evaluation": "study", "score": "selectivity/0.5"}
    options |= dict(part.split("=", 1) for part in sys.argv[1:])
    within, ratios = 0, []
    for file in sorted((ROOT / "outputs" / "yardstick" / options["gan"]).glob("*-s*/metrics.json")):
        draws = json.loads(file.read_text()).get(options["evaluation"], {}).get("draws", {})
        found = [draw["scores"][options["score"]] for draw in draws.values()]
        for one, other in itertools.pairwise(found):
            half = (one["high"] - one["low"] + other["high"] - other["low"]) / 4
            ratios.append(abs(one["mean"] - other["mean"]) / (2**0.5 * half))
            within += ratios[-1] < 1
    share = 100 * within / max(len(ratios), 1)
    print(f"{options['score']} on {options['gan']}: {within} of {len(ratios)} pairs of draws within ({share:.0f} %)")


if __name__ == "__main__":
    main()
