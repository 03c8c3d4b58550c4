"""Images in which a predictor finds nothing: left out of every mean, and counted in the report."""

import json
import math

import torch

from latent_lab.attributes.digits import DigitAttributes


def test_what_cannot_be_measured_is_left_out_and_counted(train, monkeypatch):
    whole = DigitAttributes.forward

    def partly_blind(self, images):
        values = whole(self, images)
        return values.where(values[:, :1] >= values[:, :1].median(), torch.nan) if len(values) > 1 else values

    monkeypatch.setattr(DigitAttributes, "forward", partly_blind)
    run = train("method=linear", "evaluation.num_latents=8", tiny=True)
    result = json.loads((run / "metrics.json").read_text())["fast"]["draws"]["0"]
    left_out = [
        note for note in result["notes"] if "could not be measured (a predictor found nothing in an image)" in note
    ]
    assert len(left_out) == 1 and left_out[0] in (run / "report.html").read_text()
    scores = result["scores"]
    assert scores["selectivity/0.5/not_measured"]["mean"] > 0
    for name in ("selectivity/0.5", "selectivity/0.5/asked", "length/realised"):
        assert math.isfinite(scores[name]["mean"]), name
    deviations = [entry["deviation"] for entry in json.loads((run / "names.json").read_text()).values()]
    assert deviations and all(map(math.isfinite, deviations))
