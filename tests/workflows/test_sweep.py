"""A sweep over methods: one failure does not stop it, and a page compares what was scored."""

import sys
from types import SimpleNamespace

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from latent_lab.installation import CONF
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
        SystemExit,
        match=r"1 runs of the sweep failed: random-sngan_mnist/\S+-0: num_paths must be at most the latent's size 16",
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
    assert (
        "1 runs of the sweep were skipped, which do not apply: local_basis-sngan_mnist/" in seen.out
        and reason in seen.out
    )
    page = (folder / "swept" / "compare" / "compare.html").read_text()
    assert "1 runs, evaluation fast" in page and "random" in page


def test_a_sweep_of_which_nothing_is_scored_has_no_page_and_still_names_what_failed(folder):
    with pytest.raises(SystemExit, match="1 runs of the sweep failed: random-"):
        sweep("method=random", "gan.edits.num_paths=17")
    assert not (folder / "swept" / "compare").exists()


def test_alone_a_method_that_does_not_apply_fails(train):
    with pytest.raises(SystemExit, match="^latent_lab: method=local_basis needs a generator with a mapping"):
        train("method=local_basis")


def test_sweeps_of_one_second_have_folders_of_their_own(folder, monkeypatch):
    from latent_lab import train
    from latent_lab.workflows import discover

    monkeypatch.setattr(discover, "score", lambda *arguments: None)
    clock = SimpleNamespace(strftime=lambda pattern: "2000-01-01_00-00-00")
    monkeypatch.setattr("hydra.core.utils.datetime", SimpleNamespace(now=lambda: clock))
    for seed in (0, 1):
        sys.argv = ["latent_lab.train", *TINY, "method=random", "gan.edits.num_paths=2", f"seed={seed}", "-m"]
        GlobalHydra.instance().clear()
        train.main()
    sweeps = sorted((folder / "outputs" / "sweeps").iterdir())
    assert [sweep.name for sweep in sweeps] == ["2000-01-01_00-00-00", "2000-01-01_00-00-00-2"]
    for seed, sweep in enumerate(sweeps):
        (run,) = sweep.glob("random-sngan_mnist/*/config.yaml")
        assert run.parent.name == f"2000-01-01_00-00-00-s{seed}-0"
        assert f"seed={seed}" in (sweep / "multirun.yaml").read_text()
    assert not list((folder / "outputs").glob("*.yaml"))


def test_every_method_is_in_the_sweep():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["sweep=all_methods"], return_hydra_config=True)
    assert config.hydra.sweeper.params.method == "glob(*,exclude=imported)"  # that one needs files


def test_optuna_searches_for_the_options_with_the_best_main_score(folder):
    """The main returns its main score; a study of two trials ends with the better one's options."""
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    from latent_lab import train

    search = ["sweep=optuna", "hydra.sweeper.n_trials=2", "hydra.sweep.dir=searched", "evaluation.strip_steps=3"]
    sys.argv = ["latent_lab.train", *TINY, *search, "method=random", "gan.edits.num_paths=range(2,5)"]
    GlobalHydra.instance().clear()
    train.main()
    best = yaml.safe_load((folder / "searched" / "optimization_results.yaml").read_text())
    assert best["name"] == "optuna" and isinstance(best["best_value"], float)
    assert set(best["best_params"]) == {"gan.edits.num_paths"}
