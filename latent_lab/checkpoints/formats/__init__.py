"""Published formats, one file each.

A file has two functions: ``matches(tree)`` judges a checkpoint by its content, and ``convert(tree)`` returns a
:data:`Description` of its generator.
"""

from __future__ import annotations

from torch import Tensor

Description = tuple[str, dict[str, object], dict[str, Tensor]]
"""The dotted name of the generator's class, the arguments of its constructor, and its state dict."""
