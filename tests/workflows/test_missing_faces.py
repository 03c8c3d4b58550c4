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
    result = json.loads((run / "metrics.json").read_text())["fast"]
    left_out = [
        note for note in result["notes"] if "could not be measured (a predictor found nothing in an image)" in note
    ]
    assert len(left_out) == 1 and left_out[0] in (run / "report.html").read_text()
    for name in ("floor/commutativity/attributes", "commutativity/swap/attributes"):
        assert math.isfinite(result["scores"][name]["mean"]), name
    finite = [v for row in result["matrices"]["commutativity/swap/attributes"]["values"] for v in row if v is not None]
    assert finite and all(map(math.isfinite, finite))
