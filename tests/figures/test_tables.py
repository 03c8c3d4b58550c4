"""One table in four languages, by hand."""

from __future__ import annotations

import csv
import io
import math
import re
from html.parser import HTMLParser

import pytest

from latent_lab.csv_files import escape_cell
from latent_lab.figures.page import page_html
from latent_lab.figures.tables import Cell, Row, Table, html, write_csv, write_latex, write_markdown

NAN = math.nan
TABLE = Table(
    columns=[("error", "%", "lower"), ("hits", "", "higher"), ("radius_ratio", "latent units", "")],
    rows=[Row("linear", "5 x 3"), Row("curved_50%", "1 x 1", "†")],
    cells=[
        [Cell(12.3456, 0.4321, False), Cell(0.5, 0.01, True), Cell(1.0, NAN, False)],
        [Cell(1.5, NAN, True, reached=0.97), Cell(NAN, NAN, False), Cell(12345.6, 0.0, False, "‡")],
    ],
    notes=["† one run.", "‡ not <reached>."],
)


@pytest.mark.parametrize(
    "mean, half, text",
    [
        (12.3456, 0.4321, "12.3 ± 0.43"),
        (12.3456, NAN, "12.3"),
        (NAN, NAN, ""),
        (NAN, 0.5, ""),
        (0.0, 0.0, "0 ± 0"),
        (-1e-7, 2.55e-8, "-1e-07 ± 2.6e-08"),
    ],
)
def test_a_cell_has_three_digits_and_its_interval_two(mean, half, text):
    assert Cell(mean, half, False).format() == text


@pytest.mark.parametrize("p, text", [(0.0123, "0.2 ± 0.05, p = 0.012 ‡"), (1e-9, "0.2 ± 0.05, p < 0.001 ‡")])
def test_a_difference_has_its_probability_and_a_cell_its_mark(p, text):
    assert Cell(0.2, 0.05, False, "‡", 0.9, p).format() == text


def test_titles_say_which_way_is_better_and_the_unit():
    assert TABLE.list_titles() == ["error ↓ [%]", "hits ↑", "radius_ratio [latent units]"]


def test_markdown_by_hand():
    assert write_markdown(TABLE) == (
        "| method | seeds x draws | error ↓ [%] | hits ↑ | radius_ratio [latent units] |\n"
        "|---|---|---|---|---|\n"
        "| linear | 5 x 3 | 12.3 ± 0.43 | **0.5 ± 0.01** | 1 |\n"
        "| curved_50% † | 1 x 1 | **1.5** |  | 1.23e+04 ± 0 ‡ |\n"
        "\n† one run.\n"
        "\n‡ not &lt;reached&gt;.\n"
    )


def test_commas_separate_full_numbers_a_score_a_line():
    rows = list(csv.DictReader(io.StringIO(write_csv(TABLE))))
    assert len(rows) == 6
    assert rows[0] == {
        "method": "linear",
        "seeds x draws": "5 x 3",
        "score": "error",
        "unit": "%",
        "better": "lower",
        "mean": "12.3456",
        "half_interval": "0.4321",
        "surely_best": "0",
        "reached": "nan",
    }
    assert [(row["method"], row["score"]) for row in rows if row["surely_best"] == "1"] == [
        ("linear", "hits"),
        ("curved_50%", "error"),
    ]
    for row, cell in zip(rows, [cell for cells in TABLE.cells for cell in cells]):
        assert (float(row["mean"]), float(row["half_interval"])) == pytest.approx(
            (cell.mean, cell.half), abs=0, nan_ok=True
        )


def test_commas_and_quotes_in_names_survive():
    table = Table([('a, "b"', "x,y", "")], [Row("one, two", "1 x 1")], [[Cell(1.0, NAN, False)]])
    (row,) = csv.DictReader(io.StringIO(write_csv(table)))
    assert (row["method"], row["score"], row["unit"]) == ("one, two", 'a, "b"', "x,y")


def test_latex_by_hand():
    assert write_latex(TABLE) == (
        r"\begin{tabular}{lrrrr}" + "\n"
        r"\hline" + "\n"
        r"method & seeds x draws & error $\downarrow$ [\%] & hits $\uparrow$ & radius\_ratio [latent units] \\ \hline"
        + "\n"
        r"linear & 5 x 3 & 12.3 $\pm$ 0.43 & \textbf{0.5 $\pm$ 0.01} & 1 \\" + "\n"
        r"curved\_50\% \dag{} & 1 x 1 & \textbf{1.5} &  & 1.23e+04 $\pm$ 0 \ddag{} \\" + "\n"
        r"\hline" + "\n"
        r"\end{tabular}" + "\n"
        r"\par{\footnotesize \dag{} one run.}" + "\n"
        r"\par{\footnotesize \ddag{} not <reached>.}" + "\n"
    )


@pytest.mark.parametrize(
    "name, safe",
    [
        ("a & b", r"a \& b"),
        ("50%", r"50\%"),
        ("$x$", r"\$x\$"),
        ("#1", r"\#1"),
        ("a_b", r"a\_b"),
        ("{x}", r"\{x\}"),
        ("a\\b", r"a\textbackslash{}b"),
    ],
)
def test_latex_escapes_each_letter_once(name, safe):
    assert f"\n{safe} & 1 x 1 & 1 \\\\\n" in write_latex(
        Table([("s", "", "")], [Row(name, "1 x 1")], [[Cell(1.0, NAN, False)]])
    )


@pytest.mark.parametrize("letter", ["^", "~"])
def test_latex_has_no_bare_accent(letter):
    text = write_latex(Table([(f"R{letter}2", letter, "")], [Row(f"a{letter}b", "1 x 1")], [[Cell(1.0, NAN, False)]]))
    assert re.search(rf"(?<!\\){re.escape(letter)}", text) is None


def test_html_by_hand():
    numbers = [["12.3 ± 0.43", "<b>0.5 ± 0.01</b>", "1"], ["<b>1.5</b>", "", "1.23e+04 ± 0 ‡"]]
    first, second = ("".join(f'<td class="number">{text}</td>' for text in row) for row in numbers)
    assert html(TABLE) == (
        "<table><tr><th>method</th><th>seeds x draws</th><th>error ↓ [%]</th><th>hits ↑</th>"
        "<th>radius_ratio [latent units]</th></tr>"
        f"<tr><td>linear</td><td>5 x 3</td>{first}</tr><tr><td>curved_50% †</td><td>1 x 1</td>{second}</tr></table>"
        "<p>† one run.</p><p>‡ not &lt;reached&gt;.</p>"
    )


def test_html_escapes_names_and_closes_its_tags():
    table = Table([("<b>", "a&b", "lower")], [Row("<script>", "1 x 1")], [[Cell(1.0, 0.1, True)]])
    depth, texts = [], []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attributes):
            depth.append(tag)

        def handle_endtag(self, tag):
            assert depth.pop() == tag

        def handle_data(self, data):
            texts.append((depth[-1], data))

    Parser().feed(html(table))
    assert depth == []
    assert texts == [
        ("th", "method"),
        ("th", "seeds x draws"),
        ("th", "<b> ↓ [a&b]"),
        ("td", "<script>"),
        ("td", "1 x 1"),
        ("b", "1 ± 0.1"),
    ]


@pytest.mark.parametrize("write", [write_markdown, write_csv, write_latex, html])
def test_a_missing_cell_is_never_printed_as_best_or_as_nan(write):
    text = write(TABLE)
    assert text.count("nan") == (3 + 1 + 5 if write is write_csv else 0)
    assert write(Table(TABLE.columns, [], [])).count("linear") == 0


def test_a_bar_in_a_name_does_not_split_a_markdown_cell():
    (_, _, row) = write_markdown(Table([("s", "", "")], [Row("a|b", "1 x 1")], [[Cell(1.0, NAN, False)]])).splitlines()
    assert row.replace(r"\|", "").count("|") == 4


def one(name: str, score: str = "s", unit: str = "") -> Table:
    return Table([(score, unit, "")], [Row(name, "1 x 1")], [[Cell(1.0, NAN, False)]])


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_no_cell_is_a_formula(start):
    text = start + "1+1|cmd"
    assert escape_cell(text).startswith("'") and escape_cell(f"a{text}").startswith("a")
    (row,) = csv.DictReader(io.StringIO(write_csv(one(text, text, text)), newline=""))
    assert all(
        row[column].startswith("'") and row[column].endswith("1+1|cmd") for column in ("method", "score", "unit")
    )


@pytest.mark.parametrize("text", ["a", "1e-3", "a,b", 'a "b"', "two\nlines", "größe", "a=b", "", " =x"])
def test_other_cells_stay_as_they_are(text):
    assert escape_cell(text) == text
    assert list(csv.DictReader(io.StringIO(write_csv(one(text)), newline="")))[0]["method"] == text


@pytest.mark.parametrize("write", [write_markdown, write_csv, write_latex, html])
@pytest.mark.parametrize("letter", ["\x1b", "\x00", "\r", "\u202e", "\udcff", "\x9b"])
def test_no_terminal_obeys_a_name_and_every_file_can_hold_it(write, letter):
    text = write(one(f"a{letter}b", f"c{letter}", f"{letter}d"))
    assert text.encode() and letter not in text


@pytest.mark.parametrize("write", [write_markdown, write_latex, html])
def test_names_of_several_lines_are_one_line(write):
    assert write(one("a\nb", "c\r\nd", "e\u2028f")).count("\n") == write(one("a b", "c d", "e f")).count("\n")


@pytest.mark.parametrize(
    "name, safe",
    [
        ("<script>alert(1)</script>", r"&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("`code`", r"\`code\`"),
        ("**a**", r"\*\*a\*\*"),
        ("_a_b_", r"\_a_b\_"),
        ("__init__", r"\_\_init\_\_"),
        ("![a](http://b)", r"![a]\(http://b)"),
        ("a\\|b", r"a\\\|b"),
        ("$a_b^$", r"\$a_b^\$"),
        ("&amp;", "&amp;amp;"),
    ],
)
def test_markdown_shows_names_letter_by_letter(name, safe):
    assert write_markdown(one(name)).splitlines()[2] == f"| {safe} | 1 x 1 | 1 |"
    assert f"| {safe} |" in write_markdown(one("a", name)).splitlines()[0]


@pytest.mark.parametrize("name", ["[3em]", "*"])
def test_a_latex_row_is_no_option_of_the_end_of_the_row_before(name):
    table = Table([("s", "", "")], [Row("a", "1 x 1"), Row(name, "1 x 1")], [[Cell(1.0, NAN, False)]] * 2)
    assert re.search(r"\\\\\s*[\[*]", write_latex(table)) is None and f"{{}}{name} & 1 x 1" in write_latex(table)


def test_html_texts_can_be_attributes():
    page = page_html("", [("\" onload='x' <b>\n&", b"1")])
    assert '<img alt="&#34; onload=&#39;x&#39; &lt;b&gt; &amp;" src=' in page


def test_html_that_no_template_made_is_text():
    assert "&lt;p&gt;" in page_html("", [("", "<p>")]) and html(TABLE) in page_html("", [("", html(TABLE))])
