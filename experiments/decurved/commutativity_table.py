"""The paper's table of commutativity errors: python experiments/decurved/commutativity_table.py gan=sngan_mnist

The return form (edit k, edit l, undo k, undo l: distance to the original), as the slides define it, beside the swapped
form that the released code computes; in percent of an attribute's standard deviation, in images and in latents.
"""

from study import mean_and_half, options, results, score, write


def main() -> None:
    gan = options()[0]["gan"]
    names = [
        f"commutativity/{form}/{level}" for form in ("return", "swap") for level in ("attributes", "images", "latents")
    ]
    lines = [
        "| method | seeds | "
        + " | ".join(name.removeprefix("commutativity/") for name in names)
        + " | worst pair, return [%] | bracket |"
    ]
    lines.append("|---" * (len(names) + 4) + "|")
    for label, runs in results().items():
        worst = [
            max(
                value
                for row in run["matrices"]["commutativity/return/attributes"]["values"]
                for value in row
                if value is not None
            )
            for run in runs
        ]
        cells = [mean_and_half([score(run, name) for run in runs]) for name in names]
        cells += [mean_and_half(worst), mean_and_half([score(run, "bracket") for run in runs])]
        lines.append(f"| {label} | {len(runs)} | " + " | ".join(cells) + " |")
    write(gan, "commutativity", lines)


if __name__ == "__main__":
    main()
