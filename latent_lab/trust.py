"""Checks of a run's folder, which may come from a stranger. Its configuration is read as plain values: it may name only
known classes, and never decides which files are written or what is fetched."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from latent_lab.installation import kind_of, list_named_classes, read_choice
from latent_lab.names import require_file_name
from latent_lab.renamed import current_evaluation, current_name

ENTRIES = 500_000  # of a folder

OPTIMISERS = ("Adadelta", "Adagrad", "Adam", "Adamax", "AdamW", "ASGD", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD")
SCHEDULES = (
    "ConstantLR",
    "CosineAnnealingLR",
    "CyclicLR",
    "ExponentialLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "StepLR",
)

# arguments that a folder may give to classes of others; what is missing would name files, addresses or other objects
OF_LOGGERS = {
    "_target_",
    "_partial_",
    "name",
    "version",
    "project",
    "group",
    "tags",
    "notes",
    "prefix",
    "offline",
    "log_model",
}
OF_LOGGERS |= {"flush_logs_every_n_steps", "log_graph", "default_hp_metric"}
NOT_OF_TRAINER = {"default_root_dir", "logger", "callbacks", "plugins", "profiler", "model_registry", "barebones"}
LOGGERS = (
    "pytorch_lightning.loggers.CSVLogger",
    "pytorch_lightning.loggers.TensorBoardLogger",
    "latent_lab.training.loggers.RunWandbLogger",
)
TRAINER = "pytorch_lightning.Trainer"
SHORT = {f"torch.optim.{name}" for name in OPTIMISERS} | {f"torch.optim.lr_scheduler.{name}" for name in SCHEDULES}


def list_mappings(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict]]:
    """Yield every mapping of a configuration, with the keys that lead to it."""
    if isinstance(value, dict):
        yield path, value
        for key, part in value.items():
            yield from list_mappings(part, (*path, key))
    elif isinstance(value, list):
        for part in value:
            yield from list_mappings(part, path)


def list_allowed_classes(path: Sequence[str]) -> frozenset[str]:
    """Return the dotted names of the classes that a part of a run's configuration may name."""
    kind = kind_of(path)
    own = list_named_classes().get(kind, frozenset())
    if path[:1] == ("logger",):
        return own | frozenset(LOGGERS)
    return own | frozenset(
        SHORT if path[:1] in (("method",), ("encoder",), ("fusion",)) or kind == "gan.pretraining" else ()
    )


def require_class(target: object, path: Sequence[str]) -> None:
    """Check that a part of a run's configuration may name a class. Nothing is imported for this.

    Arguments:
        target: The ``_target_`` that the configuration gives.
        path: The keys that lead to it.

    Raises:
        ValueError: No configuration of this installation names that class for that part.
    """
    where = ".".join(path) or "the configuration"
    if not isinstance(target, str) or target not in list_allowed_classes(path):
        raise ValueError(
            f"{where} of a run may name only classes that latent_lab's own configurations name there, "
            f"got {str(target)[:100]!r}"
        )


def require_arguments(node: Mapping, path: Sequence[str]) -> None:
    """Check the arguments that a part of a run's configuration gives to its class.

    Addresses of data sets were replaced before (:func:`replace_sources`).

    Arguments:
        node: The part.
        path: The keys that lead to it.

    Raises:
        ValueError: An argument would name files, addresses or packages, or changes how Hydra builds the part.
    """
    where = ".".join(path) or "the configuration"
    target = node.get("_target_")
    if (
        "_args_" in node
        or not isinstance(node.get("_partial_", False), bool)
        or not isinstance(node.get("_recursive_", True), bool)
    ):
        raise ValueError(
            f"{where} of a run may give a class named arguments alone, with _partial_ and _recursive_ true or false"
        )
    if target in LOGGERS:
        wrong = sorted(key for key in node if key not in OF_LOGGERS)
        for key in ("name", "version"):
            if node.get(key) not in (None, ""):
                require_file_name(node[key], f"{where}.{key}")
    else:
        wrong = sorted(node.keys() & NOT_OF_TRAINER) if target == TRAINER else []
    if path[:2] != ("dataset", "data"):
        wrong += [key for key in ("url", "package") if node.get(key) is not None]
    if wrong:
        raise ValueError(
            f"{where}.{wrong[0]} is not taken from a run's folder: it names files, addresses or packages; "
            "delete it there"
        )


def replace_sources(config: dict) -> None:
    """Replace the sources of weights and data sets by those of this installation, without their addresses.

    So a folder never decides which addresses, packages or files are used, and opening it fetches nothing.

    Raises:
        ValueError: A part has another form, or a name that is no plain name of a file.
    """
    gan, dataset = config["gan"], config.get("dataset")
    here, name = read_choice("gan", gan["name"]), gan["name"]
    if here:
        hint = (
            f"python -m latent_lab.convert source={name} target=<file>.safetensors fetches them; or give weights=<file>"
        )
        gan["source"] = {
            **here["source"],
            "url": None,
            "hint": hint if here["source"].get("url") else here["source"].get("hint"),
        }
    else:
        gan["source"] = {
            "file": f"{name}.safetensors",
            "url": None,
            "hint": f"gan={name} of this run is not known here: give weights=<file>",
        }
    if gan.get("preview") is not None:
        known = here.get("preview") if here else None
        if not isinstance(gan["preview"], dict) or not known:
            raise ValueError(f"gan.preview must be null where this installation's gan={name} has none")
        gan["preview"] = {**gan["preview"], "source": {**known["source"], "url": None}}
        require_file_name(gan["preview"].get("name", known["name"]), "gan.preview.name")
    data = dataset.get("data") if isinstance(dataset, dict) else None
    if isinstance(data, dict) and "url" in data:
        files = data.get("files")
        if not isinstance(files, dict) or not all(isinstance(file, dict) for file in files.values()):
            raise ValueError("dataset.data.files must be mappings with a name each")
        for part, file in files.items():
            require_file_name(file.get("name"), f"dataset.data.files.{part}.name")
        data |= {"url": None, "hint": "nothing is fetched for a run's folder: put the file there"}


def make_safe(config: dict) -> dict:
    """Check the configuration of a run's folder and return it in a form that is safe to build from.

    Classes are those that this installation's own yamls name for that part; weights and data sets come from where this
    installation says; names that become files are plain.

    Raises:
        ValueError: naming the key that asks for anything else.
    """
    if not isinstance(config.get("gan"), dict) or not isinstance(config["gan"].get("generator"), dict):
        raise ValueError("it must have gan with a name and a generator")
    require_file_name(config["gan"].get("name"), "gan.name")
    if type(config.get("seed")) is not int or not 0 <= config["seed"] < 2**32:
        raise ValueError(f"seed must be an integer from 0 to 2^32 - 1, got {str(config.get('seed'))[:40]!r}")
    for part in ("dataset", "evaluation"):
        if isinstance(config.get(part), dict):
            if "name" in config[part]:  # what debug=fast sets for a command without an evaluation has none
                require_file_name(config[part]["name"], f"{part}.name")
        elif config.get(part) is not None:
            raise ValueError(f"{part} must be a mapping, got {str(config[part])[:40]!r}")
    if (
        not isinstance(config.get("label"), str | None)
        or len(config.get("label") or "") > 200
        or not (config.get("label") or "").isprintable()
    ):
        raise ValueError("label must be a line of at most 200 letters")
    if isinstance(config.get("evaluation"), dict):
        config["evaluation"] = current_evaluation(config["evaluation"])
    replace_sources(config)
    for path, node in list_mappings(config):
        if path[:2] in (("gan", "source"), ("gan", "preview")) and "_target_" not in node:
            continue  # this installation's
        if "_target_" in node:
            if isinstance(node["_target_"], str):
                node["_target_"] = current_name(node["_target_"])
            require_class(node["_target_"], path)
        require_arguments(node, path)
    return config


def require_inside(folder: Path) -> None:
    """Check that all entries of a folder are files or folders, and that no link leads out of it.

    Otherwise a command would read or write through them.

    Raises:
        ValueError: One line names the entry.
    """
    root = os.path.realpath(folder)
    if os.path.lexists(os.path.join(root, "wandb", "settings")):
        raise ValueError(
            f"{folder} has a file wandb/settings, which can send what W&B logs elsewhere and no run writes; delete it"
        )
    waiting, seen = [root], 0
    while waiting:
        # another process may just have removed it
        with contextlib.suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                seen += 1
                if seen > ENTRIES:
                    raise ValueError(f"{folder} has more than {ENTRIES} files, which no run has")
                if entry.is_symlink():
                    target = os.path.realpath(entry.path)
                    if target != root and not target.startswith(root + os.sep):
                        raise ValueError(
                            f"{entry.path} is a link out of the run's folder, which is not followed; "
                            "replace it by what it leads to"
                        )
                elif entry.is_dir(follow_symlinks=False):
                    # W&B links to its own logs elsewhere, and opens new folders only
                    if entry.path != os.path.join(root, "wandb"):
                        waiting.append(entry.path)
                elif not entry.is_file(follow_symlinks=False):
                    raise ValueError(f"{entry.path} is neither a file nor a folder; delete it")
