"""One check of a whole configuration before anything starts: types, ranges and choices. An error gives the full key."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import yaml

from latent_lab.configuration.kinds import Built, Key, describe_kind, is_built, is_list, is_of_kind, list_alternatives
from latent_lab.configuration.nearest import find_nearest
from latent_lab.configuration.options import OPTIONS, PROTOCOL
from latent_lab.configuration.places import require_here
from latent_lab.configuration.plain_values import require_plain, show_value
from latent_lab.configuration.schema import PREVIEW, TRAINER
from latent_lab.configuration.signatures import locate_class, read_arguments
from latent_lab.installation import CONF, extensions

GIVEN = ("seed",)  # plain arguments that the commands give to what they build
RUN_GIVES = {
    "logger": ("save_dir", "dir", "root_dir"),
    "callbacks": ("run",),
    "trainer": ("logger", "callbacks", "default_root_dir"),
}
HYDRAS = ("_target_", "_partial_", "_convert_", "_recursive_")


def validate(plain: Mapping, command: str) -> None:
    """Check the configuration of a command.

    Arguments:
        plain: The configuration, e.g. as a run's ``config.yaml`` holds it.
        command: The command's name, e.g. ``train``.

    Raises:
        ValueError: An option is not allowed; one line has its full key, what is allowed and what was given.
    """
    if not isinstance(plain, Mapping):
        raise ValueError(f"the configuration of {command} must be a dictionary, got {show_value(plain)}")
    require_plain(plain, command)
    require_here(plain)
    options = read_own_options(command) | OPTIONS[command]
    # debug=fast sets those of several
    known = {name.rstrip("?") for every in (options, *OPTIONS.values()) for name in every}
    for name in plain:
        if name not in known:
            raise ValueError(
                f"{name} is no key of latent_lab.{command}; nearest: {', '.join(find_nearest(str(name), known))}"
            )
    check_keys(
        {name: value for name, value in plain.items() if f"{name}?" in options or name in options}, options, "", command
    )
    if "trainer" in options:
        trainer = plain["trainer"]
        for name in TRAINER.keys() & trainer.keys():
            check(trainer[name], TRAINER[name], f"trainer.{name}")
    if "gan" in options:
        check_generators(plain["gan"])
    if "dataset" in options:
        require_measured(plain)
    if isinstance(evaluation := plain.get("evaluation"), Mapping) and "evaluation" in options:
        PROTOCOL(
            **{name: value for name, value in evaluation.items() if name not in ("attributes", "perceptual", "metrics")}
        )


def check_keys(node: Mapping, options: Mapping[str, object], key: str, owner: str) -> None:
    """Check the keys of a dictionary and their values.

    Arguments:
        node: The dictionary.
        options: The kind of each key. A key that ends with ``?`` may be missing.
        key: The full key of the dictionary.
        owner: The name of the dictionary in the error, if its full key is empty.

    Raises:
        ValueError: A key is missing or not known, or a value is of another kind.
    """
    names = {name.rstrip("?"): kind for name, kind in options.items()}
    # what others refer to comes first, so that the key that was given is named
    for name, value in sorted(
        node.items(), key=lambda item: (isinstance(item[1], Mapping), item[0] not in ("dataset", "gan"))
    ):
        path = f"{key}.{name}" if key else str(name)
        if name not in names:
            raise ValueError(
                f"{path} is no key of {key or owner}; nearest: {', '.join(find_nearest(str(name), names))}"
            )
        check(value, names[name], path)
    require_keys(node, options, key)


def require_keys(node: Mapping, options: Mapping[str, object], key: str = "") -> None:
    """Raise an error that says what a key means where a dictionary lacks one that it must have, at any depth."""
    for name, kind in options.items():
        path = f"{key}.{name}" if key else name
        if name.rstrip("?") not in node and not name.endswith("?"):
            about = f": {kind.about}; docs/reference/keys.md lists all keys of {key}" if isinstance(kind, Key) else ""
            raise ValueError(f"{path} must be given, and is missing{about}")
        value = node.get(name.rstrip("?"))
        if isinstance(kind, Mapping) and isinstance(value, Mapping):
            require_keys(value, kind, path.rstrip("?"))


def check(value: object, kind: object, key: str) -> None:
    """Check that a value is of its kind, with all that it holds.

    Raises:
        ValueError: It is not; one line has the full key.
    """
    kinds = list_alternatives(kind)
    if value is None and key.rpartition(".")[2] == "features":
        return  # a data set without such a network; what needs one says so
    fitting = next((one for one in kinds if is_of_kind(value, one)), None)
    if fitting is None:
        wanted = " or ".join(dict.fromkeys(describe_kind(one) for one in kinds))
        hint = (
            f"; quote text for Hydra and for the shell: \"{key}='...'\""
            if str in kinds and not isinstance(value, str | None)
            else ""
        )
        raise ValueError(f"{key} must be {wanted}, got {show_value(value)}{hint}")
    if isinstance(value, Mapping) and "_target_" in value:
        check_built(value, fitting, key)
    elif isinstance(fitting, Mapping):
        check_keys(value, fitting, key, key)
    elif isinstance(value, Mapping) and len(typing.get_args(fitting)) == 2:
        for name, part in value.items():
            check(part, typing.get_args(fitting)[1], f"{key}.{name}")
    elif is_list(fitting) and (args := typing.get_args(fitting)):
        if typing.get_origin(fitting) is tuple and Ellipsis not in args:
            if len(value) != len(args):
                raise ValueError(f"{key} must be a list of {len(args)}, got {show_value(value)}")
            return [check(part, one, key) for part, one in zip(value, args)] and None
        for part in value:
            if not any(is_of_kind(part, one) for one in list_alternatives(args[0])):
                raise ValueError(f"{key} must be {describe_kind(fitting)}, got {show_value(value)}")
            check(part, args[0], key)


@cache
def read_own_options(command: str) -> dict[str, object]:
    """Return the kinds of the numbers and switches in a command's yaml: each has the type of its default."""
    values = yaml.safe_load((CONF / f"{command}.yaml").read_text()).items()
    found = {
        name: type(value) if isinstance(value, bool | int | float) else Any
        for name, value in values
        if name not in ("defaults", "hydra")
    }
    return {f"{name}?": kind for name, kind in found.items() if not {name, f"{name}?"} & OPTIONS[command].keys()}


def check_built(node: Mapping, kind: object, key: str) -> None:
    """Check that a class exists, is of the wanted kind, and takes the arguments given.

    Raises:
        ValueError: It does not; one line has the full key.
    """
    name = node["_target_"]
    top = name.split(".")[0] if isinstance(name, str) else ""
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", str(name)):
        raise ValueError(
            f"{key}._target_ must be a class with its module, as latent_lab.methods.sefa.SeFa, got {show_value(name)}"
        )
    for flag in ("_partial_", "_recursive_"):
        if not isinstance(node.get(flag, False), bool):
            raise ValueError(f"{key}.{flag} must be true or false, got {show_value(node[flag])}")
    given = RUN_GIVES.get(key.split(".")[0], ())
    if taken := [option for option in given if option in node]:
        raise ValueError(f"{key}.{taken[0]} cannot be given: it is the run's own, got {show_value(node[taken[0]])}")
    if top == "pytorch_lightning" and "pytorch_lightning" not in sys.modules and not key.startswith("trainer"):
        return  # importing it takes seconds, and only trainings need it
    known = ("latent_lab", "pytorch_lightning", *(package.split(".")[0] for package in extensions()))
    if top not in known and not name.startswith("torch.optim."):
        if importlib.util.find_spec(top) is None:
            raise ValueError(f"{key}._target_ must name a class that can be imported, got {show_value(name)}")
        return
    target = locate_class(name)
    if target is None:
        raise ValueError(f"{key}._target_ must name a class, got {show_value(name)}, which is none")
    require_kind(target, bool(node.get("_partial_")), kind, key)
    kinds, needed, others = read_arguments(target)
    families = [target]
    if isinstance(flow := node.get("flow"), str) and flow in getattr(target, "flows", {}):
        extra, _, _ = read_arguments(target.flows[flow])
        kinds, others = kinds | extra, False
        families.append(target.flows[flow])
    for option, value in node.items():
        if option in HYDRAS:
            continue
        path = f"{key}.{option}"
        if option not in kinds:
            if others:
                continue
            raise ValueError(
                f"{path} is no argument of {target.__name__}; it takes "
                f"{', '.join(find_nearest(str(option), kinds)) or 'none'}"
            )
        check(value, kinds[option], path)
        # kinds of kind
        allowed = next((found for one in families if (found := getattr(one, f"{option}s", None)) is not None), None)
        if (
            isinstance(value, str)
            and isinstance(allowed, tuple | Mapping)
            and value not in allowed
            and kinds[option] is str
        ):
            raise ValueError(f"{path} must be one of {tuple(allowed)}, got {value!r}")
    if not node.get("_partial_"):
        plain = [
            option
            for option in sorted(needed - node.keys())
            if option not in GIVEN and not any(map(is_built, list_alternatives(kinds[option])))
        ]
        if plain and not inspect.isabstract(target):
            raise ValueError(f"{key}.{plain[0]} must be given, and is missing")


def check_generators(gan: Mapping) -> None:
    """Check the arguments of the smaller generators of a ``gan``.

    Raises:
        ValueError: The generator's class takes no such argument.
    """
    target = (
        locate_class(gan["generator"]["_target_"]) if gan["generator"]["_target_"].startswith("latent_lab.") else None
    )
    preview = gan.get("preview") or {}
    check_keys(preview, {f"{name.rstrip('?')}?": kind for name, kind in PREVIEW.items()}, "gan.preview", "gan.preview")
    for key, part in (
        ("gan.tiny", gan.get("tiny")),
        ("gan.preview.generator", preview.get("generator")),
        ("gan.preview.tiny", preview.get("tiny")),
    ):
        for option, value in (part or {}).items() if target is not None else ():
            kinds, _, _ = read_arguments(target)
            if option not in kinds:
                raise ValueError(
                    f"{key}.{option} is no argument of {target.__name__}; it takes "
                    f"{', '.join(find_nearest(str(option), kinds))}"
                )
            check(value, kinds[option], f"{key}.{option}")


def list_measured(node: object) -> list[str] | None:
    """Return the attributes that a predictor measures; None if that is not known without building it."""
    if not isinstance(node, Mapping):
        return None
    if isinstance(node.get("parts"), Sequence):
        parts = [list_measured(part) for part in node["parts"]]
        return None if None in parts else [name for part in parts for name in part]
    target = str(node.get("_target_"))
    names = (
        node.get("names")
        or node.get("values")
        or (getattr(locate_class(target), "names", None) if target.startswith("latent_lab.") else None)
    )
    known = isinstance(names, Sequence | Mapping) and all(isinstance(name, str) for name in names)
    return list(names) if known else None


def require_measured(plain: Mapping) -> None:
    """Check that the data set's predictors measure the attributes that are asked for.

    Raises:
        ValueError: They do not; one line has the full key.
    """
    names = list_measured(plain["dataset"].get("attributes"))
    for key in ("dataset.targets", "evaluation.attributes", "method.attributes", "method.target.attributes"):
        asked: object = plain
        for part in key.split("."):
            asked = asked.get(part) if isinstance(asked, Mapping) else None
        if names is None or asked is None:
            continue
        texts = (
            isinstance(asked, Sequence) and not isinstance(asked, str) and all(isinstance(name, str) for name in asked)
        )
        if not texts or not asked or len({*asked}) < len(asked) or {*asked} - {*names}:
            raise ValueError(f"{key} must be different names among {names}, got {show_value(asked)}")


def require_kind(target: type, partial: bool, kind: object, key: str) -> None:
    """Check that a class makes what is wanted.

    Arguments:
        target: The class.
        partial: Whether its ``_partial_`` is true.
        kind: The kind that is wanted.
        key: The full key of the part.

    Raises:
        ValueError: It makes something else.
    """
    wanted = kind
    if typing.get_origin(kind) is Callable:
        wanted = typing.get_args(kind)[1]
        if not partial:
            raise ValueError(f"{key}._partial_ must be true: the rest of the arguments is given later, got false")
    elif isinstance(kind, type) and kind is not Built and partial:
        raise ValueError(f"{key}._partial_ must be false, got true")
    if isinstance(kind, Built):
        wanted = locate_class(kind.base) if kind.base else None
    network = locate_class("torch.nn.Module")
    if isinstance(wanted, type) and not isinstance(kind, Built) and issubclass(wanted, network):
        wanted = network  # any may stand for another that it answers as
    if isinstance(wanted, type) and wanted is not Built and not issubclass(target, wanted):
        raise ValueError(f"{key}._target_ must name a {wanted.__name__}, got {target.__module__}.{target.__qualname__}")
