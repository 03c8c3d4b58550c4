"""The paper's three tables from the runs of study.py: order, side effects, identity, a target a row.

    python experiments/yardstick/tables.py gan=sngan_mnist [evaluation=study]

Means over seeds and draws, with half the 95 % interval over seeds (Student's t). The numbers go to
docs/results/scores/<gan>.tables.json, the tables to docs/results/decurved/<gan>.md. Where the runs are not on this
machine, the tables are made again from that file. Pictures of the first seed go beside them, at most 300 kB each.
"""

from __future__ import annotations

import io
import json
import math
import statistics
import sys

from PIL import Image
from study import ROOT

from latent_lab.evaluation.intervals import interval

LIMIT = 300_000
RESULTS = ROOT / "docs" / "results"
Cells = dict[str, list[float]]  # a number for each seed, by the name of its cell


def read_draw(draw: dict) -> dict[str, float]:
    """Return the cells of one draw: `order/<target>`, `identity/<target>`, `<target>/<changed>`."""
    found: dict[str, list[float]] = {}

    def add(name: str, value: float | None) -> None:
        if value is not None and math.isfinite(value):
            found.setdefault(name, []).append(value)

    order = draw["matrices"].get("commutativity/return/attributes")
    for label, values in zip(order["rows"], order["values"]) if order else ():
        for value in values:
            add(f"order/{label.split(' ', 1)[1]}", value)
    for label, points in draw.get("identity_curves", {}).items():
        for change, value in points:
            if abs(change) == 0.5:
                add(f"identity/{label.split(' ', 1)[1]}", value)
    for change in ("-0.5", "+0.5"):
        matrix = draw["matrices"][f"side_effects/{change}"]
        for label, values in zip(matrix["rows"], matrix["values"]):
            for column, value in zip(matrix["columns"], values):
                add(f"{label.split(' ', 1)[1]}/{column}", value)
    return {name: statistics.fmean(values) for name, values in found.items()}


def gather(gan: str, evaluation: str) -> dict[str, Cells]:
    """Return the cells of each row, a number a seed, from the runs or, where there are none, from the kept file."""
    kept = RESULTS / "scores" / f"{gan}.tables.json"
    runs = sorted((ROOT / "outputs" / "yardstick" / gan).glob("*-s*/metrics.json"))
    if not runs:
        return json.loads(kept.read_text())
    rows: dict[str, Cells] = {}
    for file in runs:
        draws = json.loads(file.read_text()).get(evaluation, {}).get("draws", {})
        if not draws:
            continue
        cells: Cells = {}
        for draw in draws.values():
            for name, value in read_draw(draw).items():
                cells.setdefault(name, []).append(value)
        row = rows.setdefault(file.parent.name.rsplit("-s", 1)[0], {})
        for name, values in cells.items():
            row.setdefault(name, []).append(float(f"{statistics.fmean(values):.4g}"))
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def show(values: list[float]) -> str:
    """Return a mean and half its interval over seeds."""
    mean, half = interval(values)
    return "" if mean != mean else f"{mean:.3g}" + (f" ± {half:.2g}" if half == half else "")


def make_tables(rows: dict[str, Cells], targets: list[str]) -> list[str]:
    """Return the lines of the three tables, and the matrices of side effects."""
    head = "| | " + " | ".join([*targets, "mean"]) + " |"
    lines = []
    for title, kind in (
        (
            "Order: change of the first edit's target that is left after edit k, l, undo k, undo l [% of a deviation]",
            "order",
        ),
        ("Identity: 1 - cosine where the target has changed by 0.5 deviations", "identity"),
        ("Side effects: mean change of the other targets [% of the target's change] at 0.5 deviations", "side"),
    ):
        lines += ["", f"## {title}", "", head, "|---" * (len(targets) + 2) + "|"]
        for row, cells in rows.items():
            columns = []
            for target in targets:
                if kind == "side":
                    others = [cells[f"{target}/{other}"] for other in targets if other != target]
                    columns.append([statistics.fmean(values) for values in zip(*others)])
                else:
                    columns.append(cells.get(f"{kind}/{target}", []))
            means = [statistics.fmean(values) for values in zip(*columns)] if all(columns) else []
            lines.append(f"| {row} | " + " | ".join(map(show, [*columns, means])) + " |")
    for row, cells in rows.items():
        lines += [
            "",
            f"{row}, % of the target's change, mean over seeds:",
            "",
            "| target | " + " | ".join(targets) + " |",
        ]
        lines.append("|---" * (len(targets) + 1) + "|")
        for target in targets:
            line = [f"{statistics.fmean(cells[f'{target}/{other}']):.0f}" for other in targets]
            lines.append(f"| {target} | " + " | ".join(line) + " |")
    return lines


def reduce(content: bytes) -> bytes:
    """Return the picture, smaller until its file is."""
    picture, scale = Image.open(io.BytesIO(content)).convert("RGB"), 1.0
    while len(content) > LIMIT:
        scale *= 0.9
        stream = io.BytesIO()
        size = (round(scale * picture.width), round(scale * picture.height))
        picture.resize(size, Image.Resampling.LANCZOS).quantize(256).save(stream, "PNG", optimize=True)
        content = stream.getvalue()
    return content


def keep_pictures(gan: str, rows: dict[str, Cells]) -> None:
    """Keep the pictures that the evaluation of each row's first seed made, of the same latents for all."""
    for row in rows:
        for source, name in (("sequences", "sequence"), ("strips", "strips")):
            file = ROOT / "outputs" / "yardstick" / gan / f"{row}-s0" / "pictures" / f"{source}.png"
            if file.exists():
                (RESULTS / "decurved" / f"{gan}_{name}_{row}.png").write_bytes(reduce(file.read_bytes()))


def main() -> None:
    """Write the tables of one generator."""
    options = {"gan": "sngan_mnist", "evaluation": "study"} | dict(part.split("=", 1) for part in sys.argv[1:])
    gan = options["gan"]
    rows = gather(gan, options["evaluation"])
    targets = list(dict.fromkeys(name.split("/")[0] for row in rows.values() for name in row))
    targets = [name for name in targets if name not in ("order", "identity")]
    lines = [f"# Order, identity and side effects by target: {gan}", ""]
    lines.append(f"`python experiments/yardstick/tables.py gan={gan}`; seeds of each row: ")
    lines[-1] += ", ".join(f"{row} {max(map(len, cells.values()))}" for row, cells in rows.items()) + "."
    target = RESULTS / "decurved" / f"{gan}.md"
    target.write_text("\n".join([*lines, *make_tables(rows, targets)]) + "\n")
    keep_pictures(gan, {row: rows[row] for row in ("linear", "warped", "curvilinear") if row in rows})
    print(target.read_text())


if __name__ == "__main__":
    main()
