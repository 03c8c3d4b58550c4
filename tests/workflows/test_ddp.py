"""Two gloo processes on the CPU."""

import csv

import torch

from latent_lab.edits.moves import draw_moves
from latent_lab.ops.streams import stream
from tests.workflows.conftest import TINY, finish, newest_run, start


def test_two_ranks_make_one_run(tmp_path, space):
    output = finish(start(tmp_path, *TINY, "trainer=ddp", "trainer.accelerator=cpu"))
    assert output.count("latent_lab: report") == 1
    assert len(list(tmp_path.glob("outputs/*/*/config.yaml"))) == 1
    run = newest_run(tmp_path)
    rows = [row for row in csv.DictReader((run / "metrics.csv").open()) if row["val/accuracy"]]
    # 4 edits of each rank: accuracies are eighths only if both ranks were counted
    assert all(float(row["val/accuracy"]) * 8 % 1 < 1e-6 for row in rows)
    one, other = (draw_moves(space, 4, 8, (0.5, 6.0), stream(0, rank, 0)) for rank in (0, 1))
    assert not torch.equal(one.codes.latents, other.codes.latents)
