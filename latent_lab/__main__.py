"""The console command: ``latent-lab train method=sefa`` runs ``python -m latent_lab.train method=sefa``."""

from __future__ import annotations

import importlib
import sys

from latent_lab.installation import CONF


def commands() -> dict[str, str]:
    """Return what each command does, by its name: the first comment of its configuration."""
    lines = {file.stem: file.read_text(encoding="utf-8").splitlines()[0] for file in sorted(CONF.glob("*.yaml"))}
    return {name: line.rpartition(": ")[2] for name, line in lines.items()}


def main() -> None:
    """Run the command that the first argument names with the other arguments."""
    known = commands()
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        width = max(map(len, known))
        rows = "\n".join(f"  {command:{width}}  {text}" for command, text in known.items())
        print(
            f"latent-lab <command> [key=value ...]\n\n{rows}\n\nlatent-lab <command> --help lists its keys and choices."
        )
        return
    if name.replace("-", "_") not in known:
        sys.exit(f"latent_lab: command must be one of {list(known)}, got {name!r}")
    sys.argv = [f"latent_lab.{name.replace('-', '_')}", *arguments]
    importlib.import_module(sys.argv[0]).main()


if __name__ == "__main__":
    main()
