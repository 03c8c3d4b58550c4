"""The examples in docstrings run, and print what they say."""

import doctest
import importlib
from pathlib import Path

import pytest
import torch

import latent_lab

ROOT = Path(latent_lab.__file__).parent
MODULES = sorted(
    ".".join(file.relative_to(ROOT.parent).with_suffix("").parts)
    for file in ROOT.rglob("*.py")
    if ">>> " in file.read_text()
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name):
    with torch.random.fork_rng():
        found = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted and not found.failed
