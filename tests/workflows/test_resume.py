"""Nothing is lost: killed, interrupted and damaged runs continue, and end with the same bits."""

import os
import pickle
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from safetensors.torch import load_file

from latent_lab.runs import Run
from latent_lab.training.checkpointing import CheckedStates
from tests.workflows.conftest import TINY, start

LONG = (*TINY, "trainer.max_steps=80", "trainer.val_check_interval=25", "checkpoint_every=5")


def refuse_unpickling(patch: pytest.MonkeyPatch) -> None:
    """Let nothing but our reader read training states: torch's and Python's fail."""

    def refuse(*arguments, **options):
        raise AssertionError("a training state must be read by latent_lab alone")

    for where, name in ((torch, "load"), (pickle, "load"), (pickle, "loads")):
        patch.setattr(where, name, refuse)


def paths_of(run):
    return load_file(run / "paths.safetensors")


def wait_for(file, process, seconds: float = 90) -> None:
    end = time.time() + seconds
    while not file.exists() and time.time() < end and process.poll() is None:
        time.sleep(0.02)
    assert file.exists(), process.communicate()[0] if process.poll() is not None else "too slow"


def fit(folder: Path, *arguments: str) -> None:
    """The command in this process, without scores."""
    from latent_lab import train
    from latent_lab.workflows import discover

    with pytest.MonkeyPatch.context() as patch:
        refuse_unpickling(patch)
        patch.setattr(discover, "score", lambda *arguments: None)
        patch.setattr(sys, "argv", ["latent_lab.train", *arguments, f"target={folder}"])
        GlobalHydra.instance().clear()
        train.main()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The paths of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    fit(folder / "run", *LONG)
    return paths_of(folder / "run")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, whole, number, train, no_scores, capfd):
    process = start(tmp_path, *LONG, "target=run")
    wait_for(tmp_path / "run" / "checkpoints" / "previous.ckpt", process)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    if number != signal.SIGKILL:
        assert "continue with run=" in output and "Traceback" not in output
    assert not (tmp_path / "run" / "paths.safetensors").exists()
    train("run=run", tiny=False)
    assert "continued from" in capfd.readouterr().out
    resumed = paths_of(tmp_path / "run")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    Run(tmp_path / "run").collect_curves()
    steps = [line.split(",")[0] for line in (tmp_path / "run" / "metrics.csv").read_text().splitlines()[1:]]
    assert steps == sorted(steps, key=int) and int(steps[-1]) >= 79


def test_a_damaged_state_is_named_and_the_one_before_is_used(train, no_scores, capfd, monkeypatch):
    refuse_unpickling(monkeypatch)
    arguments = ("trainer.max_steps=12", "checkpoint_every=4", "trainer.val_check_interval=6")
    whole = paths_of(train(*arguments, "target=whole"))
    run = train(*arguments, "target=broken")
    (run / "paths.safetensors").unlink()  # as if the fit had not ended
    state = run / "checkpoints" / "last.ckpt"
    content = bytearray(state.read_bytes())
    content[len(content) // 2] ^= 0xFF
    state.write_bytes(content)
    train(f"run={run}", tiny=False)
    printed = capfd.readouterr()
    assert "last.ckpt is damaged or not of this run" in printed.err and "continued from previous.ckpt" in printed.out
    resumed = paths_of(run)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


class Call:
    """Pickles as a call of a function."""

    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """A run with two training states, and the last state of another run."""
    folder = tmp_path_factory.mktemp("states")
    arguments = (*TINY, "trainer.max_steps=12", "checkpoint_every=4", "trainer.val_check_interval=6")
    for name, method in (("run", "linear"), ("other", "warped")):
        fit(folder / name, *arguments, f"method={method}")
    (folder / "run" / "paths.safetensors").rename(folder / "whole.safetensors")  # as if the fit had not ended
    return folder


@pytest.mark.parametrize("kind", ["hostile", "foreign", "numbers", "text", "pipe"])
def test_a_state_that_is_not_of_the_run_is_passed_over(kind, states, train, no_scores, tmp_path, capfd, monkeypatch):
    refuse_unpickling(monkeypatch)
    shutil.copytree(states, tmp_path / "copy")
    state = tmp_path / "copy" / "run" / "checkpoints" / "last.ckpt"
    if kind == "hostile":
        torch.save({"state_dict": Call()}, state)
    elif kind == "foreign":
        shutil.copy(tmp_path / "copy" / "other" / "checkpoints" / "last.ckpt", state)
    elif kind == "numbers":
        torch.save({"state_dict": {"paths.weight": torch.zeros(3)}}, state)
    elif kind == "text":
        state.write_text("weights")
    else:
        state.unlink()
        os.mkfifo(state)
        with pytest.raises(SystemExit, match="is neither a file nor a folder"):
            train(f"run={tmp_path / 'copy' / 'run'}", tiny=False)
        return
    train(f"run={tmp_path / 'copy' / 'run'}", tiny=False)
    printed = capfd.readouterr()
    assert "last.ckpt is damaged or not of this run" in printed.err and "continued from previous.ckpt" in printed.out
    assert "weights_only" not in printed.err + printed.out and not (tmp_path / "executed").exists()
    whole, resumed = load_file(tmp_path / "copy" / "whole.safetensors"), paths_of(tmp_path / "copy" / "run")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_lightning_reads_a_state_as_torch_does_and_refuses_what_is_none_of_the_run(states, tmp_path, monkeypatch):
    file = states / "run" / "checkpoints" / "last.ckpt"
    expected = torch.load(file, weights_only=True)
    refuse_unpickling(monkeypatch)
    found = CheckedStates(Run.open(states / "run")).load_checkpoint(file)
    assert found.keys() == expected.keys() and found["global_step"] == 12
    (one,), (other,) = found["optimizer_states"], expected["optimizer_states"]
    for name, moments in other["state"].items():
        assert all(torch.equal(one["state"][name][key], value) for key, value in moments.items())
    assert all(torch.equal(found["state_dict"][name], value) for name, value in expected["state_dict"].items())
    torch.save({"state_dict": Call()}, tmp_path / "hostile.ckpt")
    for swapped, message in (
        (tmp_path / "hostile.ckpt", "posix.system, which weights do not need; nothing was executed"),
        (states / "other" / "checkpoints" / "last.ckpt", "cannot be continued from: it is the state of another run"),
    ):
        with pytest.raises(ValueError, match=message):  # as if the file were another one after it was checked
            CheckedStates(Run.open(states / "run")).load_checkpoint(swapped)


def test_a_finished_fit_is_not_repeated(train):
    run = train("method=linear")
    before = (run / "paths.safetensors").stat().st_mtime_ns
    (run / "report.html").unlink()
    train(f"run={run}", tiny=False)
    assert (run / "paths.safetensors").stat().st_mtime_ns == before
    assert (run / "report.html").exists()
