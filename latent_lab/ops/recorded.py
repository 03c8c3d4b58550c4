"""Constructor arguments that an object remembers, so that a file can hold them and rebuild it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from torch import nn

R = TypeVar("R", bound="Recorded")


class Recorded:
    """Base of classes whose objects remember the arguments that they were made with.

    ``config`` holds the arguments of the class's own constructor by name, defaults included, as plain values that a
    file can hold; ``type(x)(**x.config)`` is built as x was. It is there before the constructor runs, which may replace
    a value by what it has settled on. ``unrecorded`` names arguments that a file does not need, such as those of
    initial values, which its tensors replace.

    Example:
        >>> class Grid(Recorded):
        ...     unrecorded = ("seed",)
        ...
        ...     def __init__(self, sides, step=0.5, seed=0):
        ...         self.nodes = [step * i for i in range(max(sides))]
        >>> Grid((2, 3), seed=1).config
        {'sides': [2, 3], 'step': 0.5}
    """

    config: dict[str, Any]
    unrecorded: tuple[str, ...] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = require_begun(cls.__init__)  # type: ignore[method-assign]

    def __new__(cls: type[R], *args: Any, **kwargs: Any) -> R:
        made = super().__new__(cls)
        signature = inspect.signature(cls.__init__)
        try:
            bound = signature.bind(made, *args, **kwargs)
        # of a wrong call, which fails in __init__; or of a copy, which gets its config with its state
        except TypeError:
            return made
        bound.apply_defaults()
        _, *arguments = bound.arguments.items()
        config: dict[str, Any] = {}
        for name, value in arguments:
            config |= value if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD else {name: value}
        made.config = {name: plain(value) for name, value in config.items() if name not in cls.unrecorded}
        return made

    def description(self) -> dict[str, Any]:
        """Return the class's name and the arguments that rebuild the object."""
        return {"class": f"{type(self).__module__}.{type(self).__qualname__}", "config": self.config}


def require_begun(init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that says in one line, of a network, where it forgot its base's.

    Example:
        >>> class Scale(Recorded, nn.Module):
        ...     def __init__(self, sides):
        ...         self.layer = nn.Linear(sides, sides)
        >>> Scale(2)
        Traceback (most recent call last):
        ValueError: Scale.__init__ must call super().__init__() before all else, and does not
    """

    @functools.wraps(init)
    def checked(self: object, *arguments: Any, **options: Any) -> None:
        try:
            init(self, *arguments, **options)
        except AttributeError:
            if is_begun(self):
                raise
        if not is_begun(self):
            raise ValueError(
                f"{type(self).__name__}.__init__ must call super().__init__() before all else, and does not"
            )

    return checked


def is_begun(made: object) -> bool:
    """Return whether an object is no network, or one whose base's constructor has run."""
    return not isinstance(made, nn.Module) or "_modules" in vars(made)


def plain(value: Any) -> Any:
    """Return an argument as a file can hold it: sequences as lists, mappings as dictionaries, recorded objects as their
    description, all else as it is."""
    if isinstance(value, Recorded):
        return value.description()
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(part) for part in value]
    return value
