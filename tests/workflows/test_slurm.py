"""A sweep that really goes through sbatch, and a preempted job that resumes (experiments/slurm_on_one_machine.sh starts
a Slurm)."""

import shutil
import subprocess
import time

import pytest
import torch
from safetensors.torch import load_file

from tests.workflows.conftest import TINY, finish, start

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(
        shutil.which("sbatch") is None or subprocess.run(["sinfo"], capture_output=True, check=False).returncode != 0,
        reason="no Slurm answers here",
    ),
]
CLUSTER = ("-m", "launcher=slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=4")


def test_a_sweep_becomes_slurm_jobs(tmp_path):
    finish(start(tmp_path, *CLUSTER, *TINY, "method=linear,curvilinear"), timeout=300)
    assert len(list(tmp_path.glob("outputs/sweeps/*/*/*/report.html"))) == 2
    assert list(tmp_path.glob("outputs/sweeps/*/.submitit/**/*_log.out"))


def test_a_preempted_job_is_requeued_and_resumes(tmp_path):
    long = (*TINY, "trainer.max_steps=400", "trainer.val_check_interval=400", "checkpoint_every=5", "method=linear")
    process = start(tmp_path, *CLUSTER, *long)
    end = time.time() + 120
    while not (states := list(tmp_path.glob("outputs/sweeps/*/*/*/checkpoints/previous.ckpt"))) and time.time() < end:
        time.sleep(0.1)
    assert states, "the job did not start"
    (job,) = subprocess.run(
        ["squeue", "--noheader", "--format=%A", "--states=R"], capture_output=True, text=True, check=True
    ).stdout.split()
    subprocess.run(["scancel", "--signal=USR2", job], check=True)
    finish(process, timeout=400)
    run = states[0].parent.parent
    logs = "".join(file.read_text() for file in tmp_path.glob("outputs/sweeps/*/.submitit/**/*_log.out"))
    assert "continued from" in logs
    resumed = load_file(run / "paths.safetensors")
    finish(start(tmp_path, *long, "target=whole"))
    whole = load_file(tmp_path / "whole" / "paths.safetensors")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
