"""A long run says at its second step what it will cost; a short one says nothing."""

import re
from types import SimpleNamespace

import pytest
import torch

from latent_lab.training import estimate

pytestmark = pytest.mark.usefixtures("spoken")


@pytest.mark.parametrize("optimisers", [1, 2])
@pytest.mark.parametrize(
    ("steps", "rank_zero", "said"), [(1000, True, True), (1000, False, False), (20, True, False), (-1, True, False)]
)
def test_it_speaks_once_and_only_of_long_runs(steps, rank_zero, said, optimisers, capsys, monkeypatch):
    clock = iter([0.0, 10.0, 17.0, 30.0])  # starts of three steps; the end of the second
    monkeypatch.setattr(estimate.time, "monotonic", lambda: next(clock))
    callback, module = estimate.Estimate(), SimpleNamespace(device=torch.device("cpu"))
    trainer = SimpleNamespace(max_steps=steps * optimisers, global_step=0, is_global_zero=rank_zero)
    for step in (1, 2, 3):
        callback.on_train_batch_start(trainer, module, None, step)
        trainer.global_step += optimisers  # Lightning counts the steps of all
        callback.on_train_batch_end(trainer, module, None, None, step)
    found = re.findall(r"about (.*) for the (\d+) steps left \((.*) s each\), (\d+\.\d) GiB", capsys.readouterr().out)
    assert (len(found) == 1) == said
    if said:
        assert found[0][:3] == ("116 minutes", "998", "7")
