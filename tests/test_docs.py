"""The documentation: its links lead somewhere, the page of choices is that of the yamls, docstrings become Markdown."""

import re
import runpy

import pytest

from latent_lab.installation import CONF

ROOT = CONF.parent
DOCS = ROOT / "docs"
SCRIPTS = DOCS / "scripts"
MADE = ("reference/api/", "contributing.md", "changelog.md", "tutorials/discover", "tutorials/edit")  # by `make docs`
PAGES = sorted(
    str(file.relative_to(ROOT)) for file in [*DOCS.rglob("*.md"), *DOCS.rglob("*.ipynb"), *ROOT.glob("*.md")]
)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_that_are_there(page):
    file = ROOT / page
    targets = re.findall(r"\]\(([^)#\s]+)", re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL))
    for target in targets:
        if not target.startswith(("http", *MADE)):
            assert (file.parent / target).exists(), f"{page} links to {target}"


def test_the_page_of_choices_is_up_to_date():
    made = runpy.run_path(str(SCRIPTS / "choices.py"))["page"]()
    assert (DOCS / "reference" / "choices.md").read_text() == made, "run python docs/scripts/choices.py"


def test_the_page_of_keys_is_up_to_date():
    made = runpy.run_path(str(SCRIPTS / "keys.py"))["page"]()
    assert (DOCS / "reference" / "keys.md").read_text() == made, "run python docs/scripts/keys.py"


def test_every_choice_is_on_the_page():
    page = (DOCS / "reference" / "choices.md").read_text()
    groups = "gan method flow reconstructor dataset inverter evaluation trainer logger launcher".split()
    for group in groups:
        (table,) = re.findall(rf"^## {group}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        for file in (CONF / group).glob("*.yaml"):
            assert f"| `{file.stem}` |" in table, f"{group}={file.stem}"


def test_the_python_of_the_first_page_works():
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS / "index.md").read_text(), re.DOTALL)
    names: dict = {}
    exec(block, names)
    assert names["images"].shape == (8, 1, 32, 32)


def test_docstrings_become_markdown():
    pytest.importorskip("griffe", reason="make docs installs it")
    markdown = runpy.run_path(str(SCRIPTS / "docstrings.py"))["markdown"]
    assert (
        markdown("Of :math:`z`, by :class:`~latent_lab.paths.base.Paths` and :meth:`Paths.shift`.")
        == "Of $z$, by `Paths` and `shift`."
    )
    assert markdown("A.\n\n.. math:: a = b,\n    c = d\n\nB.") == "A.\n\n$$\na = b, c = d\n$$\n\nB."
    assert (
        markdown("References:\n    | A paper\n    | https://a.b/c")
        == "References:\n    - A paper\n    - <https://a.b/c>"
    )
    assert (
        markdown("Arguments:\n    low, high: Ends.\n    size: Size.")
        == "Arguments:\n    low: Ends.\n    high: Ends.\n    size: Size."
    )
    assert markdown(">>> 1 + 1\n2\n\nB.") == "```pycon\n>>> 1 + 1\n2\n```\n\nB."


def test_every_room_is_on_the_page_of_how_it_is_built():
    page = (DOCS / "architecture.md").read_text()
    rooms = [file.parent.name for file in (ROOT / "latent_lab").glob("*/__init__.py")]
    assert not [room for room in rooms if f"`{room}`" not in page]
    for module in re.findall(r"`(\w+\.py)`", page):
        assert (ROOT / "latent_lab" / module).is_file(), module
    for file in re.findall(r"`(\w+/\w+\.py)`", page):
        assert (ROOT / file).is_file() or (ROOT / "latent_lab" / file).is_file(), file
