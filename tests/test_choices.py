"""docs/reference/choices.md is what its script makes of the yamls: run it after a yaml is added or its first line is changed."""

import runpy

from latent_lab.installation import CONF

DOCS = CONF.parent / "docs"


def test_the_page_of_choices_is_up_to_date():
    made = runpy.run_path(str(DOCS / "scripts" / "choices.py"))["page"]()
    assert (DOCS / "reference" / "choices.md").read_text() == made, "run python docs/scripts/choices.py"
