"""Errors in arguments that Hydra cannot read or place, in one line: the key, what is allowed, and what to do."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Sequence

import yaml
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import Container, DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, InterpolationResolutionError, OmegaConfBaseException

from latent_lab.configuration.nearest import SHOWN, find_nearest
from latent_lab.installation import CONF, choices

KEY = re.compile(r"(~|\+{0,2})[A-Za-z_][\w./@:-]*")


def quoted(argument: str) -> str:
    """Quote an argument for a shell's line, so that Hydra takes its value as text.

    >>> print(quoted("run=/a,b"))
    "run='/a,b'"
    """
    key, _, value = argument.partition("=")
    text = f"{key}={escaped(value)}"
    return f'"{text}"' if not set(text) & set('"$`\\!') else shlex.quote(text)


def escaped(value: str) -> str:
    """Escape a value as text of Hydra's grammar, whatever it holds."""
    mark = '"' if "'" in value and '"' not in value else "'"
    # a backslash counts only before a quotation mark, where each is written twice
    marked = re.sub(rf"(\\*)({mark}|$)", lambda found: 2 * found[1] + (f"\\{mark}" if found[2] else ""), value)
    return mark + marked.replace("${", "\\${") + mark


def groups(command: str) -> list[str]:
    """Return the names of a command's groups."""
    entries = yaml.safe_load((CONF / f"{command}.yaml").read_text()).get("defaults", [])
    return [name.split("@")[0] for entry in entries if isinstance(entry, dict) for name in entry]


def choice_line(group: str, allowed: Sequence[str], given: object, command: str) -> str:
    """Say that a group has no such choice, and which ones it has."""
    if len(allowed) <= 2 * SHOWN:
        return f"{group} must be one of {list(allowed)}, got {given!r}"
    near = difflib.get_close_matches(str(given), allowed, SHOWN, 0.5)
    guess = f"; did you mean {', '.join(near)}?" if near else ""
    listed = [*near, *(name for name in allowed if name not in near)][:SHOWN]
    return (
        f"{group} must be one of {', '.join(listed)} and {len(allowed) - len(listed)} more, got {given!r}{guess} "
        f"(python -m latent_lab.{command} --help lists all)"
    )


def missing_choice(error: MissingConfigException, command: str) -> str:
    """Say which choice of a group, or which command, does not exist."""
    name = error.missing_cfg_file or ""
    top = name.split("/")[0]
    if "/" not in name:
        return f"--config-name must be {command!r} for this command, got {name!r}"
    if top != "hydra" and (CONF / top).is_dir():
        return choice_line(top, choices(top), name[len(top) + 1 :], command)
    group, _, choice = name.rpartition("/")
    return choice_line(group, list(error.options or []), choice, command)


def dotted(node: Container, before: str = "") -> list[str]:
    """Return all keys below a node, as the command line names them."""
    keys = node.keys() if isinstance(node, DictConfig) else ()
    found = []
    for key in keys:
        if before or key != "hydra":
            part = node._get_node(key)
            found += [f"{before}{key}"] + (dotted(part, f"{before}{key}.") if isinstance(part, DictConfig) else [])
    return found


def unknown_key(key: str, root: DictConfig | None, command: str) -> str:
    """Say that there is no such key, with the nearest ones that exist."""
    above, _, last = key.rpartition(".")
    node = None if root is None else root
    for part in above.split(".") if above else ():
        node = node._get_node(part) if isinstance(node, DictConfig) else None
    keys = [str(name) for name in node.keys() if above or name != "hydra"] if isinstance(node, DictConfig) else []
    near = [f"{above}.{name}" if above else name for name in difflib.get_close_matches(last, keys, SHOWN, 0.5)]
    if root is not None and key.split(".")[0] != "hydra":
        every = dotted(root)
        near += [name for name in every if name.split(".")[-1] == last and name not in near]
        near += [name for name in difflib.get_close_matches(key, every, SHOWN, 0.6) if name not in near]
    near = [name for name in near if not key.startswith(f"{name}.")] or [
        f"{above}.{name}" if above else name for name in sorted(keys)
    ]
    owner = above or f"latent_lab.{command}"
    return (
        f"{key} is no key of {owner}; nearest: {', '.join(near[:SHOWN])}"
        if near
        else f"{key} is no key: {owner} has none below it; + before the argument adds one"
    )


def as_choices(argument: str) -> str:
    """Spell a list of metrics as Hydra spells several choices of a group.

    >>> as_choices("evaluation.metrics=[identity,side_effects]")
    'metric@evaluation.metrics=[identity,side_effects]'
    """
    return f"metric@{argument}" if re.fullmatch(r"evaluation\.metrics=\[.*\]", argument) else argument


def unreadable(argument: str) -> str:
    """Say that an argument does not follow Hydra's grammar, and how it would."""
    key, equals, value = argument.partition("=")
    if not KEY.fullmatch(key) or not equals:
        return (
            f"cannot read {argument!r}; an argument is key=value, e.g. seed=1 (~key removes one, +key=value adds one)"
        )
    if re.fullmatch(r"[^,\s'\"\[\]{}=]+(,[^,\s'\"\[\]{}=]*)+", value) and value.strip(","):
        return (
            f"cannot read {argument!r}; values that -m sweeps over are key=1,2 without a comma at an end; "
            f"text is quoted: {quoted(argument)}"
        )
    form = "; a list is key=[1,2], a dictionary key={a: 1}" if value[:1] in ("[", "{") else ""
    return f"cannot read {argument!r}{form}; quote the value, for Hydra and for the shell: {quoted(argument)}"


def composition_line(error: ConfigCompositionException, command: str, arguments: Sequence[str]) -> str:
    """Say which argument Hydra can read but cannot place, and why."""
    text, cause = str(error), error.__cause__
    named = re.search(r"'([^']*(?:'[^']*'[^']*)*)'", text.splitlines()[0] if text else "")
    found = named.group(1) if named else ""
    if text.startswith(("Ambiguous value", "Sweep parameters")):
        argument = next((argument for argument in arguments if f"'{argument}'" in text), found)
        key, _, value = argument.partition("=")
        return (
            f"{argument!r} has several values: add -m to sweep over them, or {key}=[{value}] for a list; "
            f"for text quote it: {quoted(argument)}"
        )
    if isinstance(cause, ConfigKeyError | ConfigAttributeError):
        root = cause.parent_node._get_root() if cause.parent_node is not None else None
        return unknown_key(str(cause.full_key or found), root if isinstance(root, DictConfig) else None, command)
    if isinstance(cause, OmegaConfBaseException):
        return omegaconf_line(cause)
    if text.startswith("Could not override"):
        key = found.split("@")[0]
        keys = groups(command)
        hint = (
            f"; {key}={choices(key)[0]} is written without @"
            if "@" in found and (CONF / key).is_dir() and choices(key)
            else ""
        )
        return f"{found} is no group of latent_lab.{command}{hint}" + (
            "" if hint else f"; nearest: {', '.join(find_nearest(key, keys))}"
        )
    if "An item is already at" in text or text.startswith(("Multiple values for", "force-add of config groups")):
        argument = next((argument for argument in arguments if argument.startswith("+")), "+key=value")
        key = argument.lstrip("+").partition("=")[0]
        return f"{key} is a key already, which + cannot add; write {argument.lstrip('+')} without +"
    if text.startswith("Could not delete"):
        argument = next((argument for argument in arguments if argument.startswith("~")), f"~{found}")
        if "The value of" in text or "=" in argument:
            return (
                f"{argument} removes a key only if it has that value; write {argument.partition('=')[0]} to remove "
                "it whatever it has"
            )
        return f"{argument} removes a key that is there, and {argument[1:]} is no key of latent_lab.{command}"
    if text.startswith("Sweeping over Hydra"):
        argument = next((argument for argument in arguments if argument.startswith("hydra.")), found)
        return f"{argument!r} must have one value: keys of hydra cannot be swept over"
    if "looks like a config group override" in text:
        return f"{text.split()[1]!r} must be key=value: @ belongs to groups alone"
    return " ".join(text.splitlines()[:1]).strip().rstrip(".") or "the configuration cannot be composed"


def omegaconf_line(error: OmegaConfBaseException) -> str:
    """Say in one line why OmegaConf refuses a value, with the key first."""
    key, text = str(error.full_key or "the configuration"), str(error.msg or error).splitlines()[0].strip()
    if isinstance(error, InterpolationResolutionError):
        if (wanted := re.search(r"Interpolation key '([^']*)'", text)) is not None:
            return f"{key} refers to ${{{wanted.group(1)}}}, which is no key"
        return f"{key} cannot be resolved: {text}"
    return f"{key}: {text}"


def line_of(error: Exception, command: str, arguments: Sequence[str]) -> str:
    """Say in one line what an error of the composition means.

    Arguments:
        error: The error that Hydra or OmegaConf raised.
        command: The command's name, e.g. ``train``.
        arguments: Its arguments, as given.
    """
    if isinstance(error, OverrideParseException):
        return unreadable(error.override or " ".join(arguments))
    if isinstance(error, MissingConfigException):
        return missing_choice(error, command)
    if isinstance(error, ConfigCompositionException):
        return composition_line(error, command, arguments)
    if isinstance(error, OmegaConfBaseException):
        return omegaconf_line(error)
    if str(error).startswith("Config group override must be"):
        argument = next(
            (one for one in arguments if (CONF / one.lstrip("+").partition("=")[0]).is_dir()), " ".join(arguments)
        )
        key, _, value = argument.lstrip("+").partition("=")
        allowed = choices(key) if key and (CONF / key).is_dir() else []
        return choice_line(key, allowed, value, command) if allowed else unreadable(argument)
    text = (str(error).splitlines() or [""])[0]
    return (
        f"cannot compose the configuration of latent_lab.{command} from {shlex.join(arguments)}: "
        f"{text} (HYDRA_FULL_ERROR=1 shows where)"
    )


def resolved(config: DictConfig) -> dict:
    """Return the configuration as plain values, missing ones as ``???``. Where something cannot be resolved, raise an
    error of one line."""
    try:
        return OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ValueError(omegaconf_line(error)) from None


def validate_here(config: DictConfig, command: str) -> None:
    """Check the configuration of a command that starts on this machine; one line says what cannot be."""
    from latent_lab.configuration.machine import require_machine
    from latent_lab.configuration.options import OPTIONS
    from latent_lab.configuration.places import require_here
    from latent_lab.configuration.plain_values import require_plain
    from latent_lab.configuration.validate import require_keys, validate

    if command == "evaluate":  # of each run, what its evaluation refers to
        config = OmegaConf.merge({"gan": {"edits": {"length": 1.0}}, "dataset": {"targets": None}}, config)
    given = OmegaConf.to_container(config)
    require_plain(given, command)  # first what was given, then what refers to it
    require_here(given)
    for part in ("gan", "dataset"):
        if part in OPTIONS[command] and isinstance(given.get(part), dict):
            require_keys(given[part], OPTIONS[command][part], part)
    plain = resolved(config)
    validate(plain, command)
    require_machine(plain)
