"""Every option of every command: what cannot be is refused before anything starts, in one line with the key; what is in
``conf/`` passes."""

from __future__ import annotations

import contextlib
import math
import re
import time

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from latent_lab.configuration.machine import require_machine
from latent_lab.configuration.options import OPTIONS
from latent_lab.configuration.validate import validate
from latent_lab.installation import CONF
from latent_lab.workflows.overrides import validate_here

pytestmark = pytest.mark.slow


NEEDED = {"convert": ("target=new.safetensors",), "edit": ("source=[0]", "run=folder", "edits={age: 1}")}
AROUND = {"evaluate": {"gan": {"edits": {"length": 1.0}}, "dataset": {"targets": None}}}  # of the run that is evaluated
ZERO = (  # of these there must be one, or more than nothing
    *(
        "batch_size",
        "num_paths",
        "num_latents",
        "prior_latents",
        "ranking_latents",
        "matrix_latents",
        "pairs",
        "resamples",
    ),
    *(
        "max_steps",
        "checkpoint_every",
        "statistics_batches",
        "resolution",
        "latent_dim",
        "image_channels",
        "length",
        "count",
    ),
    *("lr", "lr_paths", "lr_reconstructor", "frames", "fps", "strip_steps", "log_every_n_steps", "val_check_interval"),
)
EITHER_SIGN = ("max_epochs", "changes", "edits", "devices", "num_sanity_val_steps", "values")
ERROR = re.compile(r"\b\w*(Error|Exception)\b|Traceback|object at 0x")


def composed(command: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return OmegaConf.merge(AROUND.get(command, {}), compose(command, [*NEEDED.get(command, ()), *overrides]))


def plain(command: str, *overrides: str) -> dict:
    return OmegaConf.to_container(composed(command, *overrides), resolve=True)


def refusal(config: dict, command: str) -> str | None:
    """What is said of a configuration; None if it passes."""
    try:
        validate(config, command)
        require_machine(config)
    except ValueError as error:
        return str(error)
    return None


def leaves(node: object, key: str = ""):
    """Keys that hold neither a dictionary nor a class's name, with their values."""
    if isinstance(node, dict):
        for name, part in node.items():
            if name not in ("_target_", "_partial_", "_convert_"):
                yield from leaves(part, f"{key}.{name}" if key else name)
    else:
        yield key, node


@contextlib.contextmanager
def changed(config: dict, key: str, value: object):
    """The configuration with another value at a key, for a while."""
    *above, last = key.split(".")
    node = config
    for part in above:
        node = node[part]
    before, node[last] = node[last], value
    yield config
    node[last] = before


@pytest.mark.parametrize("command", OPTIONS)
def test_what_an_option_cannot_be_is_refused_with_its_key(command):
    config = plain(command)
    assert refusal(config, command) is None
    said, passed = [], []
    for key, value in list(leaves(config)):
        last = key.rpartition(".")[2]
        if command == "evaluate" and key.startswith(("gan.", "dataset.")):
            continue
        signed = last in EITHER_SIGN or key.startswith("edits.")
        wrong: list[object] = [math.nan, math.inf, -math.inf, 1e300, 10**400]
        if isinstance(value, bool):
            wrong += ["maybe", [1], {"a": 1}]
        elif isinstance(value, int | float):
            wrong += (
                ["many", [[1]], {"a": 1}, True]
                + ([] if signed else [-1])
                + ([0] if last in ZERO and ".objective." not in key else [])
            )
            wrong += [1.5] if isinstance(value, int) and last in ZERO else []
        elif isinstance(value, str):
            wrong += [{"a": 1}, "a" * 20_000, "a\x1b[31m", "a\nb"]
        elif isinstance(value, list):
            wrong += [{"a": 1}, [math.nan], [[[math.inf]]]]
        for other in wrong:
            with changed(config, key, other):
                message = refusal(config, command)
            (said if message else passed).append((key, other, message))
    assert refusal(config, command) is None
    assert not [(key, other) for key, other, _ in passed]
    for key, other, message in said:
        assert "\n" not in message and not ERROR.search(message), (key, other, message)
        assert message.startswith((key, key.rpartition(".")[0])) and key.rpartition(".")[2] in message, (
            key,
            other,
            message,
        )
        assert "must" in message and "got" in message and len(message) < 700, (key, other, message)


@pytest.mark.parametrize("command", OPTIONS)
def test_a_key_too_many_is_named_with_its_neighbours(command):
    config = plain(command)
    config["sede"] = 1
    assert re.match(rf"sede is no key of latent_lab.{command}; nearest: .*\w", refusal(config, command))
    del config["sede"]
    for key in [key for key in config if isinstance(config[key], dict) and "_target_" in config[key]]:
        config[key]["batch_sise"] = 1
        message = refusal(config, command)
        assert message and message.startswith(f"{key}.batch_sise is no argument of") and "it takes" in message, (
            key,
            message,
        )
        del config[key]["batch_sise"]


@pytest.mark.parametrize(
    ("command", "key", "value", "message"),
    [
        ("train", "trainer.max_steps", -1, "trainer.max_steps must be an integer from 1 to 1000000000, got -1"),
        ("train", "trainer.devices", 0, "trainer.devices must be auto or from 1 to"),
        ("train", "trainer.devices", 4096, "trainer.devices must be auto or from 1 to"),
        ("train", "trainer.accelerator", "abacus", "trainer.accelerator must be one of"),
        ("train", "trainer.precision", "8-bit", "trainer.precision must be"),
        ("train", "trainer.strategy", "slow", "trainer.strategy must be"),
        ("train", "trainer.limit_val_batches", 1.5, "trainer.limit_val_batches must be an integer"),
        ("train", "trainer._target_", "pytorch_lightning.LightningModule", "trainer._target_ must name a Trainer"),
        ("train", "method", {"_target_": "latent_lab.gans.sngan.SNGAN"}, "method._target_ must name a Method"),
        ("train", "method", {"_target_": "latent_lab.methods.nowhere.No"}, "method._target_ must name a class"),
        ("train", "method", {"_target_": "nowhere.No"}, "method._target_ must name a class that can be imported"),
        ("train", "method", None, "method must be what a _target_ makes, got None"),
        ("train", "method.paths.flow", "river", r"method.paths.flow must be one of \('coupling', 'ffjord'\)"),
        ("train", "method.paths.width", "wide", "method.paths.width must be an integer, got 'wide'"),
        ("train", "method.paths._partial_", False, "method.paths._partial_ must be true"),
        ("train", "gan.space", "x", r"gan.space must be one of \['z', 'w', 'w\+', 's'\], got 'x'"),
        ("train", "evaluation.candidates", 0, "evaluation.candidates must be positive"),
        ("train", "evaluation.changes", [0.5, 0], "evaluation.* changes not 0"),
        ("train", "evaluation.strip_steps", 4, "evaluation.strip_steps must be odd"),
        ("train", "evaluation.num_latents", 10**9, "evaluation.num_latents must be an integer from 2 to 1000000"),
        ("train", "evaluation.extras", {"held_out": None}, "evaluation.extras is no key of evaluation"),
        (
            "train",
            "evaluation.metrics",
            {"quality": {"_target_": "latent_lab.metrics.quality.Quality"}},
            "evaluation.metrics.quality.num must be given",
        ),
        (
            "train",
            "evaluation.metrics",
            {"a": {"_target_": "latent_lab.reconstructors.lenet.LeNetReconstructor"}},
            "evaluation.metrics.a._target_ must name a Measurement",
        ),
        (
            "train",
            "dataset.targets",
            ["ink", "mood"],
            r"dataset.targets must be different names among \['ink', .*, got \['ink', 'mood'\]",
        ),
        ("train", "evaluation.attributes", [], "evaluation.attributes must be different names among"),
        ("train", "evaluation.length", 1e11, "evaluation.length must be a number above 0 and at most 10000"),
        ("train", "flow.divergence", "none", "flow.divergence is no argument of CurvilinearPaths"),
        ("pretrain", "gan.generator.widths", [], "gan.generator.widths must hold numbers, got none"),
        ("train", "trainer.max_epochs", 0, "trainer.max_epochs must be -1"),
        ("train", "label", 5, "label must be text or null, got 5; quote text"),
        ("train", "seed", 2**32, "seed must be an integer from 0 to 4294967295"),
        ("train", "logger.csv.save_dir", "elsewhere", "logger.csv.save_dir cannot be given"),
        ("train", "trainer.callbacks", None, "trainer.callbacks cannot be given"),
        ("pretrain", "judge.epochs", -1, "judge.epochs must be an integer from 0"),
        ("invert", "align", "face", r"align must be one of \['none', 'ffhq'\], got 'face'"),
        ("invert", "device", "gpu", "device must be auto, cpu, cuda"),
        ("invert", "precision", 16, "precision must be one of"),
        ("edit", "walk", "avi", r"walk must be one of \['gif', 'mp4', null\], got 'avi'"),
        ("edit", "edits", {"age": "much"}, "edits.age must be a number, got 'much'"),
        ("edit", "edits", [1], "edits must be a dictionary, got"),
        ("edit", "run", "???", "run must be given: the run's folder that has the paths"),
        ("compose", "images", "a.png", "images must be a list of text or null, got 'a.png'"),
        ("compose", "mask", [0, 0, 2, 1], "mask must be a number from 0 to 1, got 2"),
        ("convert", "layout", "mine", "layout must be one of"),
        ("compare", "columns", "all", "columns must be a list of text, got 'all'"),
    ],
)
def test_what_is_allowed_is_said(command, key, value, message):
    config = plain(command)
    *above, last = key.split(".")
    node = config
    for part in above:
        node = node[part]
    node[last] = value
    assert re.match(message, refusal(config, command) or "it passes"), refusal(config, command)


def test_a_missing_key_is_named():
    for command, key in (
        ("train", "seed"),
        ("train", "method"),
        ("train", "gan.generator"),
        ("train", "method.num_paths"),
        ("invert", "device"),
    ):
        config = plain(command)
        *above, last = key.split(".")
        node = config
        for part in above:
            node = node[part]
        del node[last]
        about = ": the class, as _target_, and its arguments; docs/reference/keys.md lists all keys of gan"
        assert refusal(config, command) == f"{key} must be given, and is missing" + about * (key == "gan.generator")


@pytest.mark.parametrize("key", ["gan.edits.amounts", "gan.edits.num_paths", "gan.source", "dataset.targets"])
def test_a_key_that_others_refer_to_is_named_with_its_meaning(key):
    """An interpolation of another key would fail first, and name what nobody gave."""
    config = composed("train")
    OmegaConf.set_struct(config, False)
    *above, last = key.split(".")
    del OmegaConf.select(config, ".".join(above))[last]
    with pytest.raises(
        ValueError, match=rf"^{re.escape(key)} must be given, and is missing(: .*; docs/reference/keys.md.*)?$"
    ):
        validate_here(config, "train")


def test_whatever_a_stranger_writes_ends_in_a_value_error():
    nested: dict = {}
    nested["again"] = nested
    deep: object = 1
    for _ in range(5000):
        deep = [deep]
    many = [[0] * 1000] * 1000
    for value in (
        nested,
        deep,
        many,
        {1: 2},
        b"bytes",
        {None: None},
        [None],
        object(),
        "\ud800",
        {"_target_": 5},
        {"_target_": ["x"]},
    ):
        for key in ("gan", "method", "seed", "dataset", "evaluation", "trainer", "logger"):
            config = plain_train()
            config[key] = value
            assert refusal(config, "train"), (key, type(value))
    for whole in (None, 5, "text", [], {}, {"seed": 0}, object()):
        assert refusal_of_anything(whole)


def plain_train() -> dict:
    return dict(TRAIN)


def refusal_of_anything(config: object) -> str:
    with pytest.raises(ValueError) as refused:
        validate(config, "train")
    return str(refused.value)


TRAIN = plain("train")


def test_it_takes_no_time():
    validate(TRAIN, "train")  # imports
    start = time.perf_counter()
    for _ in range(5):
        validate(TRAIN, "train")
    assert (time.perf_counter() - start) / 5 < 0.05


@pytest.mark.parametrize("asked", [{"a": {}}, [{"a": {}}], [1], 3, True, [], ["ink", "ink"], ["nothing"], "ink"])
@pytest.mark.parametrize("key", ["dataset.targets", "evaluation.attributes"])
def test_attributes_that_are_asked_for_are_names(key, asked):
    """Also in a part that the command does not read, as a folder may hold it."""
    for command in ("train", "pretrain"):
        config = plain("train") if command == "train" else plain("pretrain") | {"evaluation": {"name": "fast"}}
        part, name = key.split(".")
        config[part][name] = asked
        if command == "train" or part == "dataset":
            with pytest.raises(ValueError, match=re.escape(key)):
                validate(config, command)
        else:
            with contextlib.suppress(ValueError):
                validate(config, command)
