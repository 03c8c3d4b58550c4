"""Each run has its own folder, also in the same second, and the processes of one run share it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from latent_lab import claims
from latent_lab.runs import Run

pytestmark = pytest.mark.slow


RACER = """
import sys, time
from pathlib import Path
from latent_lab.claims import claim
while time.time() < float(sys.argv[2]): pass
print(claim(Path(sys.argv[1]), fixed=False))
"""
VARIABLES = (
    "LOCAL_RANK",
    "RANK",
    "SLURM_PROCID",
    "SLURM_JOB_ID",
    "SLURM_STEP_ID",
    "SLURM_RESTART_COUNT",
    "MASTER_ADDR",
    "MASTER_PORT",
    claims.FOUND_BY,
)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No cluster and no other process of a run."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that what a test sets is forgotten
        monkeypatch.delenv(name)


def test_runs_of_one_second_get_folders_of_their_own(tmp_path):
    folder = tmp_path / "linear-shapes" / "2026-01-01_00-00-00-s0"
    folder.mkdir(parents=True)  # Hydra has made it for all of them
    runs = [Run.create(folder, f"seed: {i}", fixed=False) for i in range(3)]
    assert [run.folder.name for run in runs] == [folder.name, f"{folder.name}-2", f"{folder.name}-3"]
    assert [(run.folder / "config.yaml").read_text() for run in runs] == ["seed: 0", "seed: 1", "seed: 2"]


def test_results_of_one_second_get_folders_of_their_own(tmp_path):
    assert [claims.make_free_folder(tmp_path / "a" / "b").name for _ in range(3)] == ["b", "b-2", "b-3"]


def test_processes_that_race_get_folders_of_their_own(tmp_path):
    import time

    begin = str(time.time() + 6)
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER, str(tmp_path / "run"), begin], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    found = {racer.communicate()[0].strip() for racer in racers}
    assert found == {str(tmp_path / name) for name in ("run", "run-2", "run-3", "run-4", "run-5", "run-6")}


def test_a_folder_that_the_user_names_is_that_one_or_none(tmp_path):
    Run.create(tmp_path / "mine", "seed: 0")
    with pytest.raises(FileExistsError, match="mine already holds a run; continue it with run="):
        Run.create(tmp_path / "mine", "seed: 1")
    assert (tmp_path / "mine" / "config.yaml").read_text() == "seed: 0" and len(list(tmp_path.iterdir())) == 1


def test_ranks_find_what_the_first_one_claimed(tmp_path, monkeypatch):
    """Lightning starts the others with its environment, torchrun and srun start all at once."""
    Run.create(tmp_path / "run", "seed: 0", fixed=False)
    mine = Run.create(tmp_path / "run", "seed: 0", fixed=False).folder
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert claims.wait_for_claim(tmp_path / "run") == mine == tmp_path / "run-2"
    for job in ({"MASTER_ADDR": "here", "MASTER_PORT": "1234"}, {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0"}):
        for name, value in job.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("LOCAL_RANK", "0")
        mine = Run.create(tmp_path / "run", "seed: 0", fixed=False).folder
        monkeypatch.delenv(claims.FOUND_BY)
        monkeypatch.setenv("LOCAL_RANK", "1")
        assert claims.wait_for_claim(tmp_path / "run-of-the-next-second") == mine


def test_a_requeued_job_finds_its_folder_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    others = Run.create(tmp_path / "other", "seed: 0", fixed=False)  # of the same job, but another run
    Run.create(tmp_path / "run", "seed: 0", fixed=False)
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    mine = Run.create(tmp_path / "run", "seed: 0", fixed=False).folder
    assert claims.wait_for_claim(tmp_path / "run") is None
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    monkeypatch.setenv("SLURM_STEP_ID", "1")
    assert claims.wait_for_claim(tmp_path / "run") == mine == tmp_path / "run-2"
    monkeypatch.setenv("SLURM_JOB_ID", "9")
    assert claims.wait_for_claim(tmp_path / "run") is None
    assert others.folder.exists()


def test_a_requeued_job_finds_the_folder_of_an_older_version(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("seed: 0")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert claims.wait_for_claim(tmp_path / "run") == tmp_path / "run"


def test_two_commands_of_one_second(tmp_path, monkeypatch):
    """The real command, with a clock that stands still."""
    from hydra.core.global_hydra import GlobalHydra

    from latent_lab import train
    from tests.workflows.conftest import TINY

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LATENT_LAB_HOME", str(tmp_path / "cache"))
    stop_the_clock(monkeypatch)
    for _ in range(2):
        monkeypatch.setattr(sys, "argv", ["latent_lab.train", *TINY, "method=random"])
        GlobalHydra.instance().clear()
        train.main()
    runs = sorted(tmp_path.glob("outputs/*/*/report.html"))
    assert [file.parent.name for file in runs] == ["2026-01-01_00-00-00-s0", "2026-01-01_00-00-00-s0-2"]


def stop_the_clock(monkeypatch) -> None:
    """Every folder is of the same second."""
    import hydra.core.utils
    from omegaconf import OmegaConf

    def setup() -> None:
        OmegaConf.register_new_resolver("now", lambda pattern: "2026-01-01_00-00-00", use_cache=True, replace=True)

    original = hydra.core.utils.setup_globals

    def still() -> None:
        original()
        setup()

    monkeypatch.setattr("hydra._internal.utils.setup_globals", still, raising=False)
    monkeypatch.setattr("hydra.core.utils.setup_globals", still)
    monkeypatch.setattr("hydra._internal.hydra.setup_globals", still)
