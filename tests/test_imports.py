"""Who may import whom: what docs/architecture.md draws, read from the code."""

import ast
from pathlib import Path

import pytest

import latent_lab

ROOT = Path(latent_lab.__file__).parent
MAINS = sorted(file.stem for file in ROOT.glob("*.py") if "@command(" in file.read_text())
LAYERS = [
    {
        "console",
        "cpu_memory",
        "cpu_torchvision",
        "csv_files",
        "devices",
        "environment",
        "errors",
        "installation",
        "names",
        "picture_files",
        "plain",
    },
    {"ops", "progress", "renamed"},
    {"checkpoints", "claims", "trust"},
    {"graphs"},
    {"gans"},
    {"paths", "attributes"},
    {"reconstructors", "edits", "data"},
    {"cli", "runs"},
    {"configuration"},
    {"loading"},
    {"naming"},
    {"metrics", "figures"},
    {"training"},
    {"inversion", "methods", "pretraining"},
    {"evaluation"},
    {"editing"},
    {"components"},
    {"api"},
    {"workflows"},
    {*MAINS, "__init__", "__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
HEAVY = {"hydra", "pytorch_lightning", "wandb"}
FILES = sorted(ROOT.rglob("*.py"))


def for_types(tree: ast.Module) -> set[ast.AST]:
    """What is imported for annotations alone, and never runs."""
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {part for block in blocks for part in ast.walk(block)}


def imported(file: Path, body: list[ast.stmt] | None = None):
    tree = ast.parse(file.read_text())
    unused = for_types(tree)
    for node in [part for part in ast.walk(tree) if part not in unused] if body is None else body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_go_one_way(file):
    part = file.relative_to(ROOT).parts[0].removesuffix(".py")
    for name in imported(file):
        if name.startswith("latent_lab."):
            other = name.split(".")[1]
            if other in RANK:
                assert other == part or RANK[other] < RANK[part], f"{part} imports {other}"
        if name.split(".")[0] == "hydra":
            assert part == "workflows" or part in MAINS
        if name.split(".")[0] in HEAVY:
            assert part not in ("gans", "paths", "checkpoints", "attributes", "ops", "graphs")


@pytest.mark.parametrize("name", [*MAINS, "cli", "workflows/command", "__init__"])
def test_mains_are_light(name):
    top = ast.parse((ROOT / f"{name}.py").read_text()).body
    assert not {module.split(".")[0] for module in imported(ROOT / f"{name}.py", top)} & {
        "torch",
        "pytorch_lightning",
        "wandb",
        "torchvision",
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_torchvision_is_mended_before_it_is_imported(file):
    top = ast.parse(file.read_text()).body
    if {name.split(".")[0] for name in imported(file, top)} & {
        "lpips",
        "pytorch_lightning",
        "torchmetrics",
        "torchvision",
    }:
        package = ROOT / file.relative_to(ROOT).parts[0] / "__init__.py"
        assert package.read_text().startswith("import latent_lab.cpu_torchvision\n")
