"""A metric of a user's own goes through a training's validation, the evaluation, the report and a comparison."""

import json
import sys
from pathlib import Path

import pytest

from latent_lab import compare, trust
from latent_lab.evaluation import compare as comparison
from latent_lab.installation import list_named_classes

FOLDER = Path(__file__).parents[1] / "extra_metric"
OWN = (f"hydra.searchpath=[file://{FOLDER}]", "evaluation.metrics=[commutativity,pixel_change]")


@pytest.fixture
def installed(monkeypatch):
    """As an installed package makes it known: folders may name the class."""
    own = frozenset({"tests.extra_metric.pixel_change.PixelChange"})
    known = list_named_classes()
    both = {**known, "metric.pixel_change": own, "evaluation.metrics": known["evaluation.metrics"] | own}
    for module in (trust, comparison):
        monkeypatch.setattr(module, "list_named_classes", lambda: both)


def test_one_file_and_one_yaml_are_enough(train, installed, tmp_path, monkeypatch):
    run = train("method=linear", *OWN)
    result = json.loads((run / "metrics.json").read_text())["fast"]["draws"]["0"]
    assert result["scores"]["pixel_change/kl"]["mean"] > 0
    assert result["scores"]["pixel_change/kl"]["low"] <= result["scores"]["pixel_change/kl"]["high"]
    assert {name.split("/")[0] for name in result["scores"]} == {"additivity", "commutativity", "pixel_change"}
    assert "val/pixel_change/kl" in (run / "metrics.csv").read_text().splitlines()[0]
    page = (run / "report.html").read_text()
    assert "pixel_change/kl" in page and "How much each pair changes." in page
    assert (run / "pictures" / "pixel_change.png").exists()
    monkeypatch.setattr(sys, "argv", ["latent_lab.compare", f"run={run}", "protocol=fast", "target=table"])
    compare.main()
    assert "pixel_change/kl,grey levels," in (tmp_path / "table" / "sngan_mnist.csv").read_text()
    assert "change of the pixels" in (tmp_path / "table" / "compare.html").read_text()
