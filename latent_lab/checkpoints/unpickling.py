"""Pickles as data: every global that a file may name is a stand-in of ours, everything else is refused by name.

A machine of its own, not Python's: that one hashes whatever a file makes a key, and a tuple of tuples can be hashed for
years.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from typing import Any

from latent_lab.checkpoints.limits import FAULTS, quote, reason
from latent_lab.checkpoints.stand_ins import (
    ALLOWED,
    Array,
    DType,
    Record,
    Storage,
    Table,
    encode,
    make_counter,
    require_key,
    require_sizes,
)

PUSHED = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
STATED = (Record, Array, DType)  # what a state is given to; of others it is left out
# many bytes and microseconds each
MAKING = {*EMPTY, *TUPLES, "TUPLE", "LIST", "DICT", "FROZENSET", "REDUCE", "NEWOBJ", "NEWOBJ_EX"}
# operations of a file (of MAKING a quarter), and how often its bytes may be read; published files have 2**18
OPCODES, TIMES = 2**21, 4


class Work:
    """A budget: the operations and bytes that a file may still ask for.

    Arguments:
        size: Bytes of the file.
    """

    def __init__(self, size: int) -> None:
        self.opcodes, self.bytes = OPCODES, TIMES * size + 2**16

    def count_operation(self, name: str) -> None:
        """Count an operation of the pickle; raise an error when there are too many."""
        self.opcodes -= 4 if name in MAKING else 1
        if self.opcodes < 0:
            raise ValueError(f"its pickle has more than {OPCODES} operations")

    def count_bytes(self, size: int) -> None:
        """Count a part of the file that is read once more; raise an error when it is too much."""
        self.bytes -= size
        if self.bytes < 0:
            raise ValueError("it asks for the same bytes again and again")


def refuse_storages(identity: object) -> Storage:
    """Raise the error for a persistent id where there are no storages."""
    raise ValueError("it has persistent ids outside a torch file")


def unpickle(
    content: bytes,
    start: int = 0,
    *,
    work: Work,
    storage: Callable[[object], Storage] = refuse_storages,
    nested: Callable[[object], Storage] | None = None,
) -> tuple[object, int]:
    """Return the object of a pickle, made of stand-ins, and the place where the pickle ends.

    :func:`latent_lab.checkpoints.trees.to_plain` turns the stand-ins into data.

    Arguments:
        content: Bytes that hold the pickle.
        start: Place where it begins.
        work: The budget of the file.
        storage: Returns the storage of a persistent id.
        nested: Returns the storage of a torch file within; None where there may be none.

    Raises:
        ValueError: if it is damaged, names anything but tensors and plain values, or exceeds the budget.

    Example:
        >>> import pickle
        >>> unpickle(pickle.dumps({"classes": 10}, 4), work=Work(100))[0]
        {'classes': 10}
        >>> unpickle(pickle.dumps(print), work=Work(100))
        Traceback (most recent call last):
        ValueError: it names builtins.print, which weights do not need; nothing was executed
    """
    machine = Machine(len(content), work, storage, nested)
    stream = io.BytesIO(content)
    stream.seek(start)
    try:
        for opcode, argument, position in pickletools.genops(stream):
            work.count_operation(opcode.name)
            if opcode.name == "STOP" and position is not None:
                return machine.stack.pop(), position + 1
            machine.step(opcode.name, argument)
    except ValueError as error:
        raise ValueError(reason(error, 300)) from None
    except FAULTS as error:
        raise ValueError(f"its pickle is damaged ({reason(error)})") from None
    raise ValueError("its pickle has no end")


class Machine:
    """The stack machine whose programs are pickles.

    Arguments:
        size: Bytes of the pickle.
        work, storage, nested: See :func:`unpickle`.
    """

    def __init__(
        self, size: int, work: Work, storage: Callable[[object], Storage], nested: Callable[[object], Storage] | None
    ) -> None:
        self.size, self.work, self.storage, self.nested = size, work, storage, nested
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def step(self, name: str, argument: Any) -> None:
        """Carry out an operation.

        Arguments:
            name: Its name in :mod:`pickletools`.
            argument: Its argument, of the type that the operation has.
        """
        stack = self.stack
        if name in PUSHED:
            if isinstance(argument, int) and argument.bit_length() > 128:
                raise ValueError("it has an integer of more than 128 bits")
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in EMPTY:
            stack.append(EMPTY[name]())
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            place = len(self.memo) if name == "MEMOIZE" else int(argument)
            if place > self.size:
                raise ValueError(f"it asks for memo number {quote(place)}; nothing was executed")
            self.memo[place] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[int(argument)])
        elif name in TUPLES:
            items = [stack.pop() for _ in range(TUPLES[name])]
            stack.append(tuple(reversed(items)))
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name in ("TUPLE", "LIST", "FROZENSET"):
            items = self.pop_to_mark()
            stack.append(
                tuple(items) if name == "TUPLE" else items if name == "LIST" else frozenset(map(require_key, items))
            )
        elif name in ("APPEND", "APPENDS"):
            items = self.pop_to_mark() if name == "APPENDS" else [stack.pop()]
            self.peek(list).extend(items)
        elif name in ("SETITEM", "SETITEMS", "DICT"):
            items = self.pop_to_mark() if name != "SETITEM" else [stack.pop(-2), stack.pop()]
            if name == "DICT":
                stack.append({})
            table = self.peek(dict)
            for key, value in zip(items[::2], items[1::2], strict=True):
                table[require_key(key)] = value
        elif name == "ADDITEMS":
            items = self.pop_to_mark()
            self.peek(set).update(map(require_key, items))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            module, name = argument.split(" ", 1) if name == "GLOBAL" else (stack.pop(-2), stack.pop())
            stack.append(self.look_up(module, name))
        elif name == "REDUCE":
            arguments = stack.pop()
            stack.append(self.call(stack.pop(), arguments))
        elif name in ("NEWOBJ", "NEWOBJ_EX"):
            if name == "NEWOBJ_EX":
                stack.pop()
            arguments, family = stack.pop(), stack.pop()
            bare = isinstance(family, type) and issubclass(family, (Table, *STATED))
            stack.append(family.__new__(family) if bare else self.call(family, arguments))
        elif name == "BUILD":
            state = stack.pop()
            if isinstance(stack[-1], STATED):
                stack[-1].__setstate__(state)
        elif name == "BINPERSID":
            stack.append(self.storage(stack.pop()))
        elif name == "DUP":
            stack.append(stack[-1])
        elif name == "POP" and self.marks and self.marks[-1] == len(stack):
            self.marks.pop()
        elif name == "POP":
            stack.pop()
        elif name == "POP_MARK":
            self.pop_to_mark()
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(f"it uses the pickle opcode {name}, which weights do not need; nothing was executed")

    def pop_to_mark(self) -> list[Any]:
        """Take from the stack the values since the last mark, and return them."""
        at = self.marks.pop()
        items = self.stack[at:]
        del self.stack[at:]
        return items

    def peek(self, family: type) -> Any:
        """Return the value on top of the stack, which must be of a type."""
        if not isinstance(self.stack[-1], family):
            raise TypeError(f"a {type(self.stack[-1]).__name__} is no {family.__name__}")
        return self.stack[-1]

    def look_up(self, module: object, name: object) -> object:
        """Return the stand-in for a global name."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError("a name must be a text")
        if (module, name) == ("torch.storage", "_load_from_bytes") and self.nested is not None:
            return self.nested
        if (module, name) not in ALLOWED:
            raise ValueError(f"it names {module[:60]}.{name[:60]}, which weights do not need; nothing was executed")
        return ALLOWED[module, name]

    def call(self, function: Any, arguments: object) -> object:
        """Return the result of a stand-in; bytes that it copies are counted."""
        if not isinstance(arguments, tuple):
            raise TypeError("arguments must be a tuple")
        if any(function is one for one in (self.nested, encode, make_counter, Table, require_sizes)):
            self.work.count_bytes(
                sum(len(part) for part in arguments if isinstance(part, str | bytes | list | tuple | dict))
            )
        made: object = function(*arguments)
        return made
