"""Weights of published predictors that a user brings. They are read as numbers only, and checked by name and shape."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from torch import Tensor, nn

from latent_lab.checkpoints import native
from latent_lab.checkpoints.container import open_tree


def load_user_file(module: nn.Module, weights: str, unused: Collection[str] = ()) -> None:
    """Load a state dict, plain or under ``state_dict``, into a module and freeze it. Nothing in the file is executed.

    Arguments:
        module: Has exactly the names and shapes of the published file. Batch counters, which old files lack, may be
            missing.
        weights: The file.
        unused: Names in the file that no score needs.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file holds other names or shapes, or cannot be read safely.
    """
    file = Path(weights).expanduser()
    if not file.is_file():
        raise FileNotFoundError(
            f"{type(module).__name__}: weights must be a file, got {str(file)!r}; "
            "put the published file there (docs/datasets.md)"
        )
    try:
        content = open_tree(file)
    except ValueError as error:
        raise ValueError(
            f"{file} is no state dict that can be read safely ({str(error).removeprefix(str(file))[:300]})"
        ) from None
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{file} must hold a state dict, got a {type(content).__name__}")
    counters = {name: value for name, value in module.state_dict().items() if name.endswith("num_batches_tracked")}
    native.load_into(module, counters | {name: value for name, value in state.items() if name not in unused}, file)
    module.eval().requires_grad_(False)


def expectation(logits: Tensor, values: Tensor) -> Tensor:
    """Return the mean of ``values`` :math:`(B,)` under the softmax of logits :math:`(N, B)`.

    It changes smoothly with the logits, while the most probable bin jumps.
    """
    return logits.softmax(1) @ values.to(logits)
