"""The paper's identity errors at equal change of the target attribute: python experiments/decurved/identity_table.py
gan=sngan_mnist"""

from study import mean_and_half, options, results, score, write


def main() -> None:
    gan = options()[0]["gan"]
    found = results()
    changes = sorted(
        {
            name.removeprefix("identity/")
            for runs in found.values()
            for run in runs
            for name in run["scores"]
            if name.startswith("identity/")
        },
        key=float,
    )
    lines = [
        "| method | seeds | " + " | ".join(f"1 - cosine at {change}" for change in changes) + " |",
        "|---" * (len(changes) + 2) + "|",
    ]
    targets: dict[str, dict[str, list[float]]] = {}
    for label, runs in found.items():
        cells = [mean_and_half([score(run, f"identity/{change}") for run in runs]) for change in changes]
        lines.append(f"| {label} | {len(runs)} | " + " | ".join(cells) + " |")
        for run in runs:
            for path, points in run["identity_curves"].items():
                at = {round(change, 3): error for change, error in points}
                if 0.5 in at:
                    targets.setdefault(path.split(" ", 1)[1], {}).setdefault(label, []).append(at[0.5])
    lines += ["", "At +0.5 standard deviations of each target, mean over its runs:", ""]
    lines += ["| target | " + " | ".join(found) + " |", "|---" * (len(found) + 1) + "|"]
    for target, rows in sorted(targets.items()):
        lines.append(
            f"| {target} | "
            + " | ".join(mean_and_half(rows[label]) if label in rows else "not reached" for label in found)
            + " |"
        )
    write(gan, "identity", lines)


if __name__ == "__main__":
    main()
