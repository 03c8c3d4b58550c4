"""Pickles read as data: every global that a file may name is a stand-in of ours, everything else is refused by name.

A machine of its own, not Python's: that one hashes whatever a file makes a key, and a tuple of tuples can be hashed for
years.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable

from latent_lab.checkpoints.limits import reason, shown
from latent_lab.checkpoints.stand_ins import (
    ALLOWED,
    Array,
    DType,
    Record,
    Storage,
    Table,
    counts,
    encode,
    require_key,
    sizes,
)

PUSHED = {
    "INT",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG",
    "LONG1",
    "LONG4",
    "FLOAT",
    "BINFLOAT",
    "STRING",
    "BINSTRING",
    "SHORT_BINSTRING",
}
PUSHED |= {
    "UNICODE",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
    "BINBYTES",
    "SHORT_BINBYTES",
    "BINBYTES8",
    "BYTEARRAY8",
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
STATED = (Record, Array, DType)  # what a state is given to; of others it is left out
# many bytes and microseconds each
MAKING = {*EMPTY, *TUPLES, "TUPLE", "LIST", "DICT", "FROZENSET", "REDUCE", "NEWOBJ", "NEWOBJ_EX"}
# operations of a file (of MAKING a quarter), and how often its bytes may be read; published files have 2**18
OPCODES, TIMES = 2**21, 4
FAULTS = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError)


class Work:
    """What a file may still ask for.

    Arguments:
        size: Its bytes.
    """

    def __init__(self, size: int) -> None:
        self.opcodes, self.bytes = OPCODES, TIMES * size + 2**16

    def operation(self, name: str) -> None:
        """Counts one of the pickle's."""
        self.opcodes -= 4 if name in MAKING else 1
        if self.opcodes < 0:
            raise ValueError(f"its pickle has more than {OPCODES} operations")

    def read(self, size: int) -> None:
        """Counts a part of the file that is read once more."""
        self.bytes -= size
        if self.bytes < 0:
            raise ValueError("it asks for the same bytes again and again")


def refuse_storages(identity: object) -> Storage:
    raise ValueError("it has persistent ids outside a torch file")


def unpickle(
    content: bytes,
    start: int = 0,
    *,
    work: Work,
    storage: Callable[[object], Storage] = refuse_storages,
    nested: Callable[[bytes], Storage] | None = None,
) -> tuple[object, int]:
    """The object of a pickle, of stand-ins (:func:`latent_lab.checkpoints.trees.plain` makes it data), and where the
    pickle ends.

    Arguments:
        content: Holds the pickle.
        start: Where it begins.
        work: What the file may still ask for.
        storage: Gives the storage of a persistent id.
        nested: Gives the storage of a torch file within; None where there may be none.
    """
    machine = Machine(len(content), work, storage, nested)
    stream = io.BytesIO(content)
    stream.seek(start)
    try:
        for opcode, argument, position in pickletools.genops(stream):
            work.operation(opcode.name)
            if opcode.name == "STOP":
                return machine.stack.pop(), position + 1
            machine.step(opcode.name, argument)
    except FAULTS as error:
        raise ValueError(f"its pickle is damaged ({reason(error)})") from None
    except ValueError as error:
        raise ValueError(reason(error, 300)) from None
    raise ValueError("its pickle has no end")


class Machine:
    """The stack machine that a pickle is a program of."""

    def __init__(
        self, size: int, work: Work, storage: Callable[[object], Storage], nested: Callable[[bytes], Storage] | None
    ) -> None:
        self.size, self.work, self.storage, self.nested = size, work, storage, nested
        self.stack: list = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def step(self, name: str, argument: object) -> None:
        """One operation."""
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
                raise ValueError(f"it asks for memo number {shown(place)}; nothing was executed")
            self.memo[place] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[int(argument)])
        elif name in TUPLES:
            items = [stack.pop() for _ in range(TUPLES[name])]
            stack.append(tuple(reversed(items)))
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name in ("TUPLE", "LIST", "FROZENSET"):
            items = self.marked()
            stack.append(
                tuple(items) if name == "TUPLE" else items if name == "LIST" else frozenset(map(require_key, items))
            )
        elif name in ("APPEND", "APPENDS"):
            items = self.marked() if name == "APPENDS" else [stack.pop()]
            self.top(list).extend(items)
        elif name in ("SETITEM", "SETITEMS", "DICT"):
            items = self.marked() if name != "SETITEM" else [stack.pop(-2), stack.pop()]
            if name == "DICT":
                stack.append({})
            table = self.top(dict)
            for key, value in zip(items[::2], items[1::2], strict=True):
                table[require_key(key)] = value
        elif name == "ADDITEMS":
            items = self.marked()
            self.top(set).update(map(require_key, items))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            module, name = argument.split(" ", 1) if name == "GLOBAL" else (stack.pop(-2), stack.pop())
            stack.append(self.found(module, name))
        elif name == "REDUCE":
            arguments = stack.pop()
            stack.append(self.called(stack.pop(), arguments))
        elif name in ("NEWOBJ", "NEWOBJ_EX"):
            if name == "NEWOBJ_EX":
                stack.pop()
            arguments, family = stack.pop(), stack.pop()
            bare = isinstance(family, type) and issubclass(family, (Table, *STATED))
            stack.append(family.__new__(family) if bare else self.called(family, arguments))
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
            self.marked()
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(f"it uses the pickle opcode {name}, which weights do not need; nothing was executed")

    def marked(self) -> list:
        """What was put onto the stack since the last mark."""
        at = self.marks.pop()
        items = self.stack[at:]
        del self.stack[at:]
        return items

    def top(self, family: type) -> object:
        if not isinstance(self.stack[-1], family):
            raise TypeError(f"a {type(self.stack[-1]).__name__} is no {family.__name__}")
        return self.stack[-1]

    def found(self, module: object, name: object) -> object:
        """What stands for a global."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError("a name must be a text")
        if (module, name) == ("torch.storage", "_load_from_bytes") and self.nested is not None:
            return self.nested
        if (module, name) not in ALLOWED:
            raise ValueError(f"it names {module[:60]}.{name[:60]}, which weights do not need; nothing was executed")
        return ALLOWED[module, name]

    def called(self, function: object, arguments: object) -> object:
        """What a stand-in makes of its arguments; those that copy them are counted."""
        if not isinstance(arguments, tuple):
            raise TypeError("arguments must be a tuple")
        if any(function is one for one in (self.nested, encode, counts, Table, sizes)):
            self.work.read(sum(len(part) for part in arguments if isinstance(part, str | bytes | list | tuple | dict)))
        return function(*arguments)
