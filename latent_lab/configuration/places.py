"""Where the keys of a yaml's bases land in the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from latent_lab.installation import conf_folders


def require_here(plain: Mapping[str, object]) -> None:
    """Check that no yaml forgot ``@_here_`` behind a base, whose keys then stand under the name of the base's folder.

    Arguments:
        plain: A command's configuration as plain values.

    Raises:
        ValueError: One did; the line says what its defaults must be.

    Example:
        >>> require_here({"method": {"base": {"lr_decay": 0.5}, "num_paths": 4}})
        Traceback (most recent call last):
        ValueError: method.base is a folder of conf/method: defaults of a yaml must say base/<name>@_here_
    """
    for group, node in plain.items():
        for name in node if isinstance(node, Mapping) else ():
            if any((folder / str(group) / str(name)).is_dir() for folder in conf_folders()):
                raise ValueError(
                    f"{group}.{name} is a folder of conf/{group}: defaults of a yaml must say {name}/<name>@_here_"
                )
