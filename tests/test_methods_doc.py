"""docs/methods.md is about the methods that are there: a section each, with their settings and defaults."""

import re

import pytest
from omegaconf import OmegaConf

from latent_lab.installation import CONF

TEXT = (CONF.parent / "docs" / "methods.md").read_text()
SECTIONS = dict(re.findall(r"^## `([\w/]+)`.*?\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
FILES = {str(file.relative_to(CONF / "method").with_suffix("")): file for file in (CONF / "method").rglob("*.yaml")}
ROW = re.compile(r"^\| `([\w.]+)` \| (.*?) \|", re.MULTILINE)


def own(name: str) -> dict:
    """What the method's file says itself, with the interpolations as they stand there."""
    return OmegaConf.to_container(OmegaConf.load(FILES[name]), resolve=False)


def test_every_method_has_its_section_and_no_section_is_of_another():
    missing, strange = sorted(set(FILES) - set(SECTIONS)), sorted(set(SECTIONS) - set(FILES))
    assert not missing, (
        f"docs/methods.md must have a section '## `name`: ...' for {missing}, like those of the others: a formula, "
        "a row for each key, When, Cost, Published code, Paper"
    )
    assert not strange, f"docs/methods.md has sections of methods that are not there: {strange}"


@pytest.mark.parametrize("name", FILES)
def test_settings_are_those_of_the_file_with_its_defaults(name):
    settings, found = OmegaConf.create(own(name)), dict(ROW.findall(SECTIONS[name]))
    for key, shown in found.items():
        *parents, leaf = key.split(".")
        node = OmegaConf.select(settings, ".".join(parents)) if parents else settings
        assert leaf in node, f"{name}: {key} is not in {FILES[name].name}"
        value = OmegaConf.to_container(node, resolve=False)[leaf]
        if isinstance(value, str) and "${" in value:
            assert shown.strip("`") in value, f"{name}: {key} is {value}, not {shown}"
        elif not isinstance(value, dict):
            assert value == OmegaConf.to_container(OmegaConf.create(f"value: {shown}"))["value"], (
                f"{name}: {key} is {value}, not {shown}"
            )
    missing = {key for key in own(name) if key not in ("defaults", "_target_")} - {key.split(".")[0] for key in found}
    assert not missing, f"{name}: docs/methods.md has no row for {missing}"


@pytest.mark.parametrize("name", [name for name in FILES if "base" not in name])
def test_a_section_says_all_that_it_should(name):
    text = SECTIONS[name]
    for part in ("**When.**", "**Cost.**", "**Published code.**", "**Paper.**", "results/README.md#all-methods"):
        assert part in text, f"{name}: no {part}"
    assert "$$" in text, f"{name}: no formula"
    for base in re.findall(r"base/\w+", str(own(name).get("defaults", ""))):
        assert f"`{base}`" in text, f"{name}: does not say that it shares the settings of {base}"


@pytest.mark.parametrize("experiment", sorted(set(re.findall(r"experiment=(\w+/\w+)", TEXT))))
def test_presets_are_there(experiment):
    assert (CONF / "experiment" / f"{experiment}.yaml").is_file()


def test_every_preset_is_in_its_methods_section():
    for file in (CONF / "experiment").glob("*/*.yaml"):
        if file.stem != "published":
            assert f"experiment={file.parent.name}/{file.stem}" in TEXT
