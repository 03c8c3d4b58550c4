"""The effects of a picture's edits, as far as the run's data set has predictors for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from latent_lab.attributes.base import Attributes
from latent_lab.editing.editor import Editor
from latent_lab.edits.views import view_in_batches
from latent_lab.evaluation.report import to_plain
from latent_lab.metrics.identity import identity_error
from latent_lab.naming import Edit


class Effects:
    """Measures attributes and identity before and after the edits.

    Arguments:
        deviations: Standard deviations of the attributes over the prior, by name.
        attributes: Predictor of the attributes; None where nothing measures them.
        identity: Embeds who or what an image shows; None where nothing does.
    """

    def __init__(
        self, deviations: Mapping[str, float], attributes: Attributes | None, identity: nn.Module | None
    ) -> None:
        self.deviations, self.attributes, self.identity = deviations, attributes, identity

    @torch.no_grad()
    def measure(self, editor: Editor) -> dict[str, dict]:
        """Return ``attributes`` (before, after, change, the change in standard deviations) and ``identity`` (1 - cosine
        to where edits started, and to the photograph) of one picture."""
        before, after = (editor.final(editor.apply(order)) for order in ([], range(len(editor.edits))))
        one, other = (view_in_batches(*end, self.attributes, self.identity, 1) for end in (before, after))
        found: dict[str, dict] = {}
        if self.attributes is not None:
            change = self.attributes.change(one.attributes, other.attributes)[0].tolist()
            rows = zip(self.attributes.names, one.attributes[0].tolist(), other.attributes[0].tolist(), change)
            found["attributes"] = {
                name: {
                    "before": to_plain(start),
                    "after": to_plain(end),
                    "change": to_plain(moved),
                    "deviations": to_plain(moved / self.deviations[name]) if name in self.deviations else None,
                }
                for name, start, end, moved in rows
            }
        if self.identity is not None:
            found["identity"] = {"to_start": to_plain(identity_error(one.identity, other.identity).item())}
            if editor.target is not None:
                real = self.identity.measure(*after, editor.target.to(other.images))
                found["identity"]["to_original"] = to_plain(identity_error(real, other.identity).item())
        return found

    def describe(self, found: dict[str, dict], edits: Sequence[Edit]) -> str:
        """Return the line that tells the user the effects on one picture."""
        parts = []
        for edit in edits:
            measured = found.get("attributes", {}).get(edit.name, {}).get("deviations")
            parts.append(
                f"{edit.name} {edit.asked:+.3g}" + ("" if measured is None else f" (measured {measured:+.2f})")
            )
        if found.get("identity", {}).get("to_start") is not None:
            parts.append(f"identity 1 - cos {found['identity']['to_start']:.3f}")
        if "order" in found:
            parts.append(
                f"other orders end within {max(found['order']['latents']):.1e} of the edit in latents, "
                f"{max(found['order']['images']):.1e} in images"
            )
        return "; ".join(parts)
