"""A small version of the study in experiments/shapes: which objective finds factors that are known."""

import json

SMALL = (
    *(
        "gan=shapes",
        "gan.generator.mixing=0",
        "method=linear",
        "logger=[]",
        "trainer.max_steps=150",
        "trainer.val_check_interval=150",
    ),
    *(
        "trainer.limit_val_batches=1",
        "method.objective.length=0",
        "method.pool=512",
        "method.lr_paths=2e-2",
        "evaluation.num_latents=8",
        "evaluation.strip_steps=3",
    ),
)


def purity(run) -> float:
    return json.loads((run / "metrics.json").read_text())["fast"]["draws"]["0"]["scores"]["recovery/purity"]["mean"]


def test_orthogonal_image_changes_identify_factors(train):
    assert purity(train(*SMALL, "method.objective.contrast=1", tiny=False)) >= 0.85


def test_the_published_objective_does_not(train):
    assert purity(train(*SMALL, tiny=False)) < 0.6
