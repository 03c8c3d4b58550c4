"""Supervised methods from the command to the loaded run."""

import json

import pytest
import torch

from latent_lab import load_run


@pytest.mark.parametrize(
    ("arguments", "paths", "found"),
    [
        (("method=interfacegan", "method.num_samples=300", "method.share=0.2"), 4, "accuracy"),
        (("method=ganalyze", "method.target.attributes=[ink,confidence]", "method.limit_latents=2"), 2, "response"),
        (("method=steerability", "method.paths.kind=network", "method.limit_latents=2"), 5, "response"),
        (("method=enjoy_your_editing", "method.target.attributes=[ink,x]", "method.limit_latents=2"), 2, "response"),
        (
            ("method=factors_of_variation", "method.num_trajectories=4", "method.iterations=2", "method.steps=2"),
            5,
            "fit",
        ),
    ],
    ids=lambda value: value[0].split("=")[1] if isinstance(value, tuple) else None,
)
def test_a_run_holds_paths_and_findings(train, no_scores, arguments, paths, found):
    run = train(*arguments)
    assert len(json.loads((run / "findings.json").read_text())[found]) == paths
    space, loaded, _ = load_run(run)
    codes = space.sample(paths, torch.Generator().manual_seed(0))
    moved = loaded.shift(codes.latents, torch.arange(paths), torch.ones(paths))
    assert loaded.num_paths == paths and moved.isfinite().all() and (moved != codes.latents).any(1).all()
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
