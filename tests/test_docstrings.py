"""Every public definition has a docstring that a stranger can read on its own."""

import ast
from pathlib import Path

import pytest

import latent_lab

ROOT = Path(latent_lab.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
RIDDLES = ("What", "Of ", "How")  # first words of a docstring that needs another sentence to be understood


def classes_of(files) -> dict[str, list[ast.ClassDef]]:
    """The package's classes by their names."""
    found: dict[str, list[ast.ClassDef]] = {}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(node)
    return found


CLASSES = classes_of(FILES)
# methods of other libraries' classes that theirs document
KNOWN = {
    *("forward", "fit", "update", "compute", "setup", "start", "end", "doctype"),
    *("teardown", "state_dict", "load_state_dict"),
    *("configure_optimizers", "training_step", "validation_step", "test_step", "train_dataloader", "val_dataloader"),
}


def bases_of(node: ast.ClassDef, seen=()) -> list[ast.ClassDef]:
    """The package's classes that a class comes from."""
    names = [ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases]
    direct = [base for name in names if name not in seen for base in CLASSES.get(name, [])]
    return direct + [far for base in direct for far in bases_of(base, (*seen, node.name, *names))]


def documented_in_a_base(name: str, node: ast.ClassDef) -> bool:
    """Whether a method overrides one that has a docstring."""
    methods = [part for base in bases_of(node) for part in base.body if isinstance(part, ast.FunctionDef)]
    return any(method.name == name and ast.get_docstring(method) for method in methods)


def definitions(body, owner: ast.ClassDef | None = None):
    """The public classes, functions and methods that must have a docstring."""
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        inherits = owner is not None and documented_in_a_base(node.name, owner)
        setter = any(ast.unparse(part).endswith((".setter", "overload")) for part in node.decorator_list)
        foreign = owner is not None and owner.bases and (node.name in KNOWN or node.name.startswith("on_"))
        if not setter and not ((inherits or foreign) and ast.get_docstring(node) is None):
            yield node
        if isinstance(node, ast.ClassDef):
            yield from definitions(node.body, node)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_public_definitions_are_explained(file):
    tree = ast.parse(file.read_text())
    for node in [tree, *definitions(tree.body)]:
        text = ast.get_docstring(node)
        name = getattr(node, "name", "the module")
        if text is None:
            assert isinstance(node, ast.Module) and file.name == "__init__.py", f"{name} has no docstring"
        else:
            assert not text.startswith(RIDDLES), f"{name} must begin with a verb or a noun phrase, got: {text}"
