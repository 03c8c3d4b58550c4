"""Nothing in a file is executed, and nothing in it can exhaust the machine."""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
import subprocess
import zipfile

import numpy as np
import pytest
import torch

from latent_lab import load_generator
from latent_lab.checkpoints.container import open_tree
from latent_lab.gans import stylegan2_layouts
from latent_lab.gans.stylegan2 import StyleGAN2
from tests.checkpoints import layouts, writers


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


class Stated:
    """A call whose result is given a state."""

    def __init__(self, function, arguments, state) -> None:
        self.parts = function, arguments, state

    def __reduce__(self):
        return self.parts


def by_name(module: str, name: str, *arguments: str) -> bytes:
    """A pickle that calls something by its name alone."""
    texts = b"".join(pickle.BINUNICODE + struct.pack("<I", len(text)) + text.encode() for text in arguments)
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"(" + texts + b"tR."


MARK = "touch {}"
PAYLOADS = {
    "os.system": lambda mark: pickle.dumps(Call(os.system, MARK.format(mark))),
    "posix.system": lambda mark: by_name("posix", "system", MARK.format(mark)),
    "subprocess": lambda mark: pickle.dumps(Call(subprocess.check_call, ["touch", str(mark)])),
    "builtins.eval": lambda mark: pickle.dumps(Call(eval, f"open({str(mark)!r}, 'w')")),
    "builtins.exec": lambda mark: pickle.dumps(Call(exec, f"open({str(mark)!r}, 'w')")),
    "builtins.open": lambda mark: pickle.dumps(Call(open, str(mark), "w")),
    "builtins.getattr": lambda mark: by_name("builtins", "getattr", "a", "b"),
    "__builtin__.eval": lambda mark: by_name("__builtin__", "eval", f"open({str(mark)!r}, 'w')"),
    "builtins.__import__": lambda mark: by_name("builtins", "__import__", "os"),
    "importlib": lambda mark: by_name("importlib", "import_module", "antigravity"),
    "runpy": lambda mark: by_name("runpy", "run_path", str(mark)),
    "shutil.rmtree": lambda mark: by_name("shutil", "rmtree", str(mark)),
    "torch.load": lambda mark: by_name("torch", "load", str(mark)),
    "torch.hub": lambda mark: by_name("torch.hub", "load", "a", "b"),
    "torch.storage nested": lambda mark: pickle.dumps(
        Call(torch.storage._load_from_bytes, pickle.dumps(Call(os.system, MARK.format(mark))))
    ),
    "numpy.load": lambda mark: by_name("numpy", "load", str(mark)),
    "numpy object array": lambda mark: pickle.dumps(np.array([Call(os.system, MARK.format(mark))], dtype=object)),
    "numpy.testing exec": lambda mark: by_name(
        "numpy.testing._private.utils", "runstring", f"open({str(mark)!r}, 'w')"
    ),
    "a name that starts like an allowed one": lambda mark: by_name("torch._utils", "_rebuild_tensor_v2_evil", "a"),
    "a module that starts like an allowed one": lambda mark: by_name("collections.abc", "OrderedDict"),
    "a dotted name": lambda mark: by_name("collections", "OrderedDict.__init__.__globals__"),
    "a state": lambda mark: pickle.dumps(Stated(os.system, (MARK.format(mark),), {"a": 1})),
    "a chain": lambda mark: pickle.dumps(Call(list, Call(map, os.system, [MARK.format(mark)]))),
    "an extension": lambda mark: b"\x80\x02\x82\x01.",
    "the old instance": lambda mark: b"(S'" + MARK.format(mark).encode() + b"'\nios\nsystem\n.",
    "a persistent id": lambda mark: b"Pos.system\n.",
    "a memo of two thousand million": lambda mark: b"\x80\x02}r\xff\xff\xff\x7f.",
}


def wrapped(payload: bytes, how: str) -> bytes:
    """The payload as a bare pickle, or as the main one of a torch file."""
    if how == "pickle":
        return payload
    if how == "legacy":
        heads = [pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
        return b"".join([*heads, payload, pickle.dumps([], protocol=2)])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", payload)
    return stream.getvalue()


@pytest.mark.parametrize("how", ["pickle", "legacy", "zip"])
@pytest.mark.parametrize("name", PAYLOADS)
def test_payloads_are_refused_in_one_line(name, how, tmp_path):
    mark, file = tmp_path / "mark", tmp_path / "weights"
    file.write_bytes(wrapped(PAYLOADS[name](mark), how))
    with pytest.raises(ValueError, match="is no checkpoint that can be read: ") as refusal:
        load_generator(file)
    assert not mark.exists() and "\n" not in str(refusal.value)


def test_the_refusal_names_what_was_refused(tmp_path):
    (tmp_path / "weights").write_bytes(PAYLOADS["os.system"](tmp_path / "mark"))
    with pytest.raises(ValueError, match=r"it names posix.system, which weights do not need; nothing was executed"):
        open_tree(tmp_path / "weights")


def zip_of(*entries: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return stream.getvalue()


def huge_tensor(size: tuple, stride: tuple, numel: int = 4) -> bytes:
    """A torch file whose tensor claims more than its storage."""
    stream = io.BytesIO()
    torch.save({"a": torch.zeros(4)}, stream)
    with zipfile.ZipFile(stream) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    (main,) = [name for name in entries if name.endswith("data.pkl")]

    class Storage:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            return ("storage", torch.FloatStorage, "0", "cpu", numel) if isinstance(thing, Storage) else None

    out = io.BytesIO()
    Pickler(out, protocol=2).dump({"a": Call(torch._utils._rebuild_tensor_v2, Storage(), 0, size, stride, False, {})})
    return zip_of(*[(name, out.getvalue() if name == main else content) for name, content in entries.items()])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            zip_of(("a/data.pkl", b"\x80\x02}."), ("a/data/0", bytes(10**7)), compression=zipfile.ZIP_DEFLATED),
            "must not be compressed",
        ),
        (zip_of(("a/other", b"1")), "the zip holds no data.pkl"),
        (huge_tensor((10**9,), (0,)), "does not lie in its storage"),
        (huge_tensor((8,), (1,)), "does not lie in its storage"),
        (huge_tensor((-1,), (1,)), "a tensor must be a storage"),
        (huge_tensor((4,), (1,), 10**12), "a storage must have 4000000000000 bytes, got 16"),
        (b"\x80\x02" + b"(" * 300 + b"t" * 300 + b".", "it nests deeper than 100"),
        (b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".", "it nests deeper than 100"),
        (b"", "it is neither safetensors, nor a file of torch, nor a pickle"),
        (b"hello", "no checkpoint"),
        (b"\x80\x02\x8a\xff.", "no checkpoint"),
    ],
)
def test_bombs_and_noise_are_refused(content, message, tmp_path):
    (tmp_path / "weights").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_generator(tmp_path / "weights")


def test_the_state_of_a_training_can_be_read(tmp_path):
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimiser = torch.optim.Adam([parameter])
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [3, 1, 3])  # keeps a counter
    parameter.sum().backward()
    optimiser.step()
    torch.save(
        {"optimizer_states": [optimiser.state_dict()], "lr_schedulers": [schedule.state_dict()]}, tmp_path / "a.ckpt"
    )
    found = open_tree(tmp_path / "a.ckpt")
    assert found["lr_schedulers"][0]["milestones"] == {3: 2, 1: 1}
    assert torch.equal(found["optimizer_states"][0]["state"][0]["exp_avg"], optimiser.state[parameter]["exp_avg"])


def test_mutated_files_neither_crash_nor_execute(tmp_path):
    """200 mutations of real layouts (LATENT_LAB_FUZZ sets another number): each is read, or refused with a
    ValueError."""
    model = layouts.random_weights(StyleGAN2(8, 8, 0, [4, 4], 1))
    sources = [writers.nvidia_pickle(model), writers.tensorflow_pickle(model)]
    sources += [writers.torch_file(stylegan2_layouts.rosinality(model), legacy) for legacy in (False, True)]
    draw, refused = random.Random(0), 0
    cases = int(os.environ.get("LATENT_LAB_FUZZ", 200))
    for i in range(cases):
        content = bytearray(sources[i % len(sources)])
        for _ in range(draw.randint(1, 8)):
            at = draw.randrange(len(content))
            content[at : at + draw.choice([0, 1, 1, 4])] = bytes(
                draw.randrange(256) for _ in range(draw.choice([0, 1, 1, 5]))
            )
        (tmp_path / "weights").write_bytes(content)
        try:
            load_generator(tmp_path / "weights")
        except ValueError:
            refused += 1
    assert refused > cases / 10
