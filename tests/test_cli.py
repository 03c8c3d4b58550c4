"""What a command says of arguments that it cannot take, when it is stopped, and where it cannot write: one line
each."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from latent_lab import cli
from latent_lab.installation import CONF
from latent_lab.workflows.command import command, inside, require_flags
from latent_lab.workflows.overrides import escaped, line_of, quoted

ODD = list("=,[]{}'\"#~;()&!^`<>|*?$%@:+\\ é’") + [
    "${x}",
    "{a}",
    "[a].png",
    "a,b",
    "{a:b}",
    "it's",
    "1",
    "null",
    "true",
    "a'b\"c",
    "$HOME",
]


def said(name: str, *arguments: str) -> str:
    """The line for arguments that cannot be composed."""
    with initialize_config_dir(str(CONF), version_base="1.3"), pytest.raises(Exception) as refused:
        compose(name, list(arguments))
    return line_of(refused.value, name, arguments)


@pytest.mark.parametrize("value", ODD)
def test_a_quoted_argument_is_read_as_it_was_meant(value):
    for path in (value, f"/a/{value}/b", f"{value}.png"):
        (argument,) = shlex.split(quoted(f"run={path}"))
        (override,) = OverridesParser.create().parse_overrides([argument])
        read = override.value()
        assert (read if isinstance(read, str) else str(read)).replace("\\${", "${") == path
        assert f"run={escaped(path)}" == argument


@pytest.mark.parametrize(
    "path", ["a=b", "a,b", "[a].png", "a]", "{a}", "a{b}c", "it's", "a#b", "~/runs", "a;b", "a(b)", "a&b", "é"]
)
def test_a_path_with_marks_is_shown_as_it_must_be_quoted(path):
    line = said("train", f"run={path}")
    assert path in line and line.endswith(quoted(f"run={path}")) and "\n" not in line


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("train", "method=crooked", "method must be one of .* more, got 'crooked' .*latent_lab.train --help lists all"),
        ("train", "method=liner", "method must be one of linear, .*; did you mean linear"),
        ("train", "method=[linear,crooked]", "method must be one of .*, got 'crooked'"),
        ("train", "method=null", "method must be one of .*, got 'null'"),
        ("train", "logger=paper", r"logger must be one of \['csv', 'many', 'tensorboard', 'wandb'\], got 'paper'"),
        ("train", "experiment=decurved/mnist", "experiment must be one of .*decurved/sngan_mnist"),
        ("train", "hydra/launcher=moon", "hydra/launcher must be one of .*'basic'.*, got 'moon'"),
        ("train", "method.speed=1", "method.speed is no key of method; nearest: method.schedule"),
        ("train", "lr_paths=1", "lr_paths is no key of latent_lab.train; nearest: method.lr_paths"),
        ("train", "seed.x=1", "seed.x is no key"),
        ("train", "inverter=i2s", "inverter is no group of latent_lab.train; nearest: "),
        ("train", "method@here=linear", "method@here is no group of latent_lab.train; method=.* is written without @"),
        ("train", "+seed=1", r"seed is a key already, which \+ cannot add; write seed=1 without \+"),
        ("train", "+method=linear", r"method is a key already, which \+ cannot add; write method=linear without \+"),
        ("train", "~speed", "~speed removes a key that is there, and speed is no key of latent_lab.train"),
        ("train", "~seed=4", "~seed=4 removes a key only if it has that value"),
        ("train", "seed=1,2", r"'seed=1,2' has several values: add -m to sweep over them, or seed=\[1,2\] for a list"),
        ("train", "seed=range(3)", r"'seed=range\(3\)' has several values: add -m"),
        ("train", "seed", "cannot read 'seed'; an argument is key=value"),
        ("train", "=3", "cannot read '=3'; an argument is key=value"),
        ("train", "seed=1,", "cannot read 'seed=1,'; values that -m sweeps over are key=1,2 without a comma at an end"),
        ("train", "method.amounts=[1,2", r"cannot read 'method.amounts=\[1,2'; a list is key=\[1,2\]"),
        ("train", "hydra.mode=CRAWL", "hydra.mode: Invalid value 'CRAWL', expected one of"),
        ("convert", "device=cpu", "device is no key of latent_lab.convert; nearest: "),
    ],
)
def test_what_cannot_be_composed_is_said_in_one_line(name, arguments, message):
    line = said(name, arguments)
    assert re.match(message, line), line
    assert "\n" not in line and not re.search(r"Error|Exception|hydra\.cc", line) and len(line) < 500


@pytest.mark.parametrize("flag", ["--foo", "-x", "--cfg=what", "--info=what"])
def test_unknown_flags_are_one_line(flag, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["latent_lab.train", flag])
    with pytest.raises(SystemExit, match="latent_lab.train --hydra-help lists the flags$") as stop:
        require_flags(get_args_parser(), "train")
    assert "\n" not in stop.value.code


@pytest.fixture
def convert(tmp_path, monkeypatch):
    """Runs ``convert`` with arguments, doing what it is told instead of its work."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hydra._internal.utils.is_under_debugger", lambda: False)

    def run(*arguments: str, work=lambda config: None) -> None:
        monkeypatch.setattr(sys, "argv", ["latent_lab.convert", *arguments])
        GlobalHydra.instance().clear()
        command("convert")(work)()

    return run


def test_a_missing_value_is_asked_for(convert):
    with pytest.raises(SystemExit, match="^latent_lab: target must be given: a new file"):
        convert()


def test_an_interpolation_into_nothing_is_named(convert):
    with pytest.raises(SystemExit, match=r"^latent_lab: target refers to \$\{nothing\}, which is no key$"):
        convert("target=${nothing}")


def test_full_errors_are_asked_for(convert, monkeypatch, capsys):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ValueError, match="target must be given"):
        convert()
    with pytest.raises(Exception, match="Could not override 'speed'"):
        convert("target=a", "speed=3")


def test_names_cannot_command_the_terminal(convert):
    with pytest.raises(SystemExit) as stop:
        convert("target=a\x1b[31mb")
    assert "\x1b" not in stop.value.code and r"\x1b[31m" in stop.value.code


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("gan"), "latent_lab: failed unexpectedly: 'gan' (HYDRA_FULL_ERROR=1 shows where)"),
        (RuntimeError("one\ntwo"), "latent_lab: failed unexpectedly: one two (HYDRA_FULL_ERROR=1 shows where)"),
        (ValueError("seed must\nbe 1"), "latent_lab: seed must be 1"),
        (MemoryError(), "latent_lab: out of memory; a smaller batch_size takes less"),
        (PermissionError(13, "Permission denied", "/there"), "latent_lab: /there: Permission denied"),
        (KeyboardInterrupt(), "latent_lab: stopped"),
    ],
)
def test_an_error_of_the_work_is_one_line_without_a_class(convert, error, message):
    def work(config):
        raise error

    with pytest.raises(SystemExit) as stop:
        convert("target=a", work=work)
    assert stop.value.code == message


def test_what_hydra_builds_in_vain_is_said_with_its_key():
    from hydra.utils import instantiate

    node = {"method": {"_target_": "latent_lab.methods.ganspace.GANSpace", "num_paths": 1, "samples": 1}}
    with pytest.raises(Exception) as refused:
        instantiate(node)
    assert inside(refused.value)[0] == "method.samples must be at least 2 and batch_size at least 1, got 1 and 1000"
    with pytest.raises(Exception) as refused:
        instantiate({"method": {"_target_": "latent_lab.nowhere.No"}})
    assert inside(refused.value)[0] == "method._target_ must name a class, got 'latent_lab.nowhere.No'"


def test_a_full_disk_advises_to_continue_only_what_continues(monkeypatch):
    full = OSError(28, "No space left on device", "/a/b")
    monkeypatch.setattr(cli, "continues", None)
    assert inside(full)[0] == "/a/b: No space left on device"
    monkeypatch.setattr(cli, "continues", "/a")
    assert inside(full)[0] == "/a/b: No space left on device; continue with run=/a"


@pytest.mark.parametrize("folder", ["file/run", "file", "a" * 300, "/proc/nothing/run"])
def test_a_folder_that_cannot_be_made_is_one_line(convert, folder):
    Path("file").write_text("")
    with pytest.raises(
        SystemExit, match=r"^latent_lab: cannot make the folder .* \(.+\); give another hydra.run.dir$"
    ) as stop:
        convert("target=a", f"hydra.run.dir={folder}")
    assert "\n" not in stop.value.code
    with pytest.raises(
        SystemExit, match=r"^latent_lab: cannot make the folder .* \(.+\); give another hydra.sweep.dir$"
    ):
        convert("target=a,b", f"hydra.sweep.dir={folder}", "-m")


def test_nothing_is_made_for_options_that_are_refused(convert, tmp_path):
    with pytest.raises(SystemExit, match="pixels must be"):
        convert("target=a", "pixels=-1", "hydra.run.dir=made")
    assert not list(tmp_path.iterdir())


def test_a_choice_of_a_sweep_that_is_not_there_is_one_line(monkeypatch, tmp_path):
    from latent_lab import train

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["latent_lab.train", "method=linear,crooked", "-m"])
    GlobalHydra.instance().clear()
    with pytest.raises(SystemExit, match="^latent_lab: method must be one of .*, got 'crooked'") as stop:
        train.main()
    assert "\n" not in stop.value.code


STOPPED = """
import sys, time
from latent_lab import cli
from latent_lab.workflows.command import command

name, folder, *sys.argv[1:] = sys.argv[1:]

def work(config):
    cli.continues = folder or None
    print("begun", flush=True)
    time.sleep(60)

command(name)(work)()
"""


@pytest.mark.parametrize(
    ("name", "folder", "line"),
    [
        ("invert", None, "stopped before a run had begun"),
        ("train", "outputs/mine", "stopped; continue with run=outputs/mine"),
        *((name, "outputs/mine", "stopped") for name in ("edit", "compose", "convert", "compare")),
    ],
)
def test_a_stop_advises_what_there_is(name, folder, line, monkeypatch):
    monkeypatch.setattr(cli, "continues", folder)
    assert cli.stopped(name) == line


@pytest.mark.parametrize(
    ("name", "folder", "line"),
    [
        ("invert", "outputs/mine", "latent_lab: stopped; continue with run=outputs/mine"),
        ("evaluate", "", "latent_lab: stopped; run the same command again: what was observed is kept"),
    ],
)
def test_a_stopped_command_ends_with_one_line(name, folder, line, tmp_path):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    arguments = ["hydra.run.dir=made", *(["target=a"] if name == "convert" else [])]
    listen = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED, name, folder, *arguments],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    signal.signal(signal.SIGINT, listen)
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT if name == "convert" else signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1 and error.strip() == line
