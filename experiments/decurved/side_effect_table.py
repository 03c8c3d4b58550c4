"""The paper's table of side effects: python experiments/decurved/side_effect_table.py gan=sngan_mnist [change=+0.5]

Rows are target attributes, columns all attributes, in percent of the target's change, which is the same for all
methods; means over seeds. Entries of at least 90 % are severe, as in the paper.
"""

import sys

from study import mean_and_half, options, results, score, write


def main() -> None:
    change = dict(argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument).get("change", "+0.5")
    gan = options()[0]["gan"]
    found = results()
    lines = [
        "| method | seeds | mean off-diagonal [%] | worst [%] | severe entries a run | reached |",
        "|---" * 6 + "|",
    ]
    details = []
    for label, runs in found.items():
        table: dict[tuple[str, str], list[float]] = {}
        severe = []
        for run in runs:
            matrix = run["matrices"][f"side_effects/{change}"]
            count = 0
            for row, values in zip(matrix["rows"], matrix["values"]):
                target = row.split(" ", 1)[1]
                for column, value in zip(matrix["columns"], values):
                    if value is not None:
                        table.setdefault((target, column), []).append(value)
                        count += column != target and value >= 90
            severe.append(count)
        names = [f"side_effects/{change}/{what}" for what in ("mean", "worst")]
        cells = [mean_and_half([score(run, name) for run in runs]) for name in names]
        cells += [mean_and_half(severe), mean_and_half([score(run, f"side_effects/{change}/reached") for run in runs])]
        lines.append(f"| {label} | {len(runs)} | " + " | ".join(cells) + " |")
        columns = runs[0]["matrices"][f"side_effects/{change}"]["columns"]
        details += [
            "",
            f"{label}, mean over seeds, % of the target's change:",
            "",
            "| target | " + " | ".join(columns) + " |",
        ]
        details.append("|---" * (len(columns) + 1) + "|")
        for target in columns:
            cells = [
                f"{sum(table[target, c]) / len(table[target, c]):.0f}" if (target, c) in table else "" for c in columns
            ]
            details.append(f"| {target} | " + " | ".join(cells) + " |")
    write(gan, "side_effects", lines + details)


if __name__ == "__main__":
    main()
