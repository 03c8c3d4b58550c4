"""A sweep over methods: one failure does not stop it, and a page compares what was scored."""

import sys

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from latent_lab.cli import CONF
from tests.workflows.conftest import TINY


def sweep(*arguments: str) -> None:
    from latent_lab import train

    sys.argv = ["latent_lab.train", *TINY, "sweep=all_methods", "hydra.sweep.dir=swept", *arguments]
    GlobalHydra.instance().clear()
    train.main()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr("hydra._internal.utils.is_under_debugger", lambda: False)
    return tmp_path


def test_a_sweep_ends_in_a_page_and_names_what_failed(folder, capsys):
    with pytest.raises(
        SystemExit, match=r"1 runs of the sweep failed: random-sngan_mnist/\S+-0: num_paths must be at most the latent's size 16"
    ):
        sweep("method=random", "gan.edits.num_paths=17,2")
    assert "the sweep goes on" in capsys.readouterr().err
    page = (folder / "swept" / "compare" / "compare.html").read_text()
    assert "1 runs, evaluation fast" in page and "random" in page


def test_a_method_that_does_not_apply_is_skipped_with_its_reason(folder, capsys):
    sweep("method=local_basis,random", "gan.edits.num_paths=2")  # ends without an error
    seen = capsys.readouterr()
    reason = "method=local_basis needs a generator with a mapping and gan.space=w or w+, got a SNGAN in space z"
    assert f"latent_lab: skipped: {reason}; the sweep goes on" in seen.err
    assert "1 runs of the sweep were skipped, which do not apply: local_basis-sngan_mnist/" in seen.out and reason in seen.out
    page = (folder / "swept" / "compare" / "compare.html").read_text()
    assert "1 runs, evaluation fast" in page and "random" in page


def test_a_sweep_of_which_nothing_is_scored_has_no_page_and_still_names_what_failed(folder):
    with pytest.raises(SystemExit, match="1 runs of the sweep failed: random-"):
        sweep("method=random", "gan.edits.num_paths=17")
    assert not (folder / "swept" / "compare").exists()


def test_alone_a_method_that_does_not_apply_fails(train):
    with pytest.raises(SystemExit, match="^latent_lab: method=local_basis needs a generator with a mapping"):
        train("method=local_basis")


def test_every_method_is_in_the_sweep():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["sweep=all_methods"], return_hydra_config=True)
    assert config.hydra.sweeper.params.method == "glob(*,exclude=imported)"  # that one needs files
