"""Local edits by scribbles: a crude drawing over an image becomes a part of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.applications.base import Application, Composition, Target, rows_at
from latent_lab.inversion.base import Track, require_number
from latent_lab.inversion.optimisation.masked import BuildingBlocks
from latent_lab.inversion.optimisation.masks import widen
from latent_lab.ops.blur import gaussian_blur
from latent_lab.paths.layerwise import layer_rows


class Scribble(Application):
    r"""An image changed as a scribble over it suggests: the search stays near the image's own codes, so that the
    drawing becomes what it stands for.

    .. math:: w^* \leftarrow W_l(1, 1, 1, w_i, x), \qquad w \leftarrow W_l(1, 1, w_m, w^*, x_s) + \lambda \|w - w^*\|^2,
        \qquad n \leftarrow Mk_n(1 - M_b, 1, n_i, x, G(w))

    with the image x, the scribbled one :math:`x_s`, and :math:`M_b` the scribbles' mask grown by the seam and blurred.

    References:
        | Image2StyleGAN++ (Abdal et al., 2020), Algorithm 5: 1000 steps each, of the rows 4, 5 and 6 of 18

    Arguments:
        blocks, seam: See :class:`Application`.
        colour: Red, green and blue in [-1, 1] (one number for grey) that paint the mask of a single image; None where
            the second image is the scribbled one, and the mask is where the two differ unless it is given.
        closeness: :math:`\lambda`, on the mean square.
        layers: Rows that change, as ``3-5``; None for the paper's, at the same depth of this generator.
    """

    def __init__(
        self,
        blocks: BuildingBlocks,
        seam: float = 0.0,
        colour: Sequence[float] | None = None,
        closeness: float = 0.01,
        layers: int | str | Sequence[int | str] | None = None,
    ) -> None:
        super().__init__(blocks, seam)
        require_number("closeness", closeness)
        for value in () if colour is None else colour:
            require_number("colour", value, -1, 1)
        self.colour, self.closeness, self.layers = colour, closeness, layers
        self.num_images, self.takes_mask = (2, None) if colour is None else (1, True)

    def make(
        self,
        space: LatentSpace,
        images: Tensor,
        mask: Tensor | None,
        rng: torch.Generator,
        codes: Codes | None,
        track: Track,
    ) -> Composition:
        image = images[:1]
        if self.colour is None:
            drawn = images[1:]
            mask = ((drawn - image).abs().amax(1, keepdim=True) > 2 / 255).to(image) if mask is None else mask
            if not mask.any():
                raise ValueError("images must be the image and the scribbled one, got two that are equal")
        else:
            if len(self.colour) != image.shape[1]:
                raise ValueError(f"colour must hold {image.shape[1]} numbers, one a channel, got {list(self.colour)}")
            drawn = torch.lerp(image, image.new_tensor(self.colour)[:, None, None], mask)
        rows = rows_at(space.shape[0], [(3 / 18, 6 / 18)]) if self.layers is None else layer_rows(space, self.layers)
        start = self.embed(space, image, None if codes is None else codes.select(slice(0, 1)), track)
        found, curve = self.blocks.w_plus(space, start, self.blocks.likeness(drawn), rows, self.closeness, track)
        with torch.no_grad():
            edited = space.decode(found)
        soft = gaussian_blur(widen(mask, 2 * self.seam), self.seam)
        found, curves = self.finish(space, found, curve, self.blocks.pixels_of(image, edited, 1 - soft), track)
        targets = [Target("scribble, inside", drawn, mask), Target("image, outside", image, 1 - mask)]
        return Composition(found, {"image": image, "scribbled": drawn}, targets, curves)
