"""Who may import whom: what docs/architecture.md draws, read from the code."""

import ast
from pathlib import Path

import pytest

import latent_lab

ROOT = Path(latent_lab.__file__).parent
MAINS = sorted(file.stem for file in ROOT.glob("*.py") if "@command(" in file.read_text())
LAYERS = [
    {"console", "cpu_torchvision", "environment", "errors", "installation", "names", "picture_files", "plain"},
    {"checkpoints", "claims", "trust"},
    {"gans"},
    {"paths", "attributes"},
    {"data"},
    {"reconstructors", "runs", "cli"},
    {"methods", "inversion", "metrics", "pictures", "pretraining"},
    {"workflows"},
    {"api"},
    {"command"},
    {*MAINS, "__init__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
HEAVY = {"hydra", "pytorch_lightning", "wandb"}
FILES = sorted(ROOT.rglob("*.py"))


def imported(file: Path, body: list[ast.stmt] | None = None):
    for node in ast.walk(ast.parse(file.read_text())) if body is None else body:
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
            assert part in ("workflows", "api", "command")
        if name.split(".")[0] in HEAVY:
            assert part not in ("gans", "paths", "checkpoints", "attributes")


@pytest.mark.parametrize("name", [*MAINS, "cli", "command", "__init__"])
def test_mains_are_light(name):
    top = ast.parse((ROOT / f"{name}.py").read_text()).body
    assert not {module.split(".")[0] for module in imported(ROOT / f"{name}.py", top)} & {
        "torch",
        "pytorch_lightning",
        "wandb",
        "torchvision",
    }
