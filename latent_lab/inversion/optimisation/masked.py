"""The building blocks of Image2StyleGAN++: masked optimisation of the rows of w+, of noise maps, and of a style."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from latent_lab.attributes.base import FeatureNetwork
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.base import Track, require_number, untracked
from latent_lab.inversion.optimisation.descent import Descent
from latent_lab.inversion.optimisation.terms import MaskedLoss, Perceptual, Pixels, Style, Term
from latent_lab.inversion.parts import Curve
from latent_lab.inversion.perceptual import FeatureDistance


class BuildingBlocks:
    r"""Codes found by descent of one general loss, first over the rows of w+, then over the noise maps: together they
    would trade one for the other.

    .. math:: L = \lambda_s L_\text{style}(M_s, G, y) + \frac{\lambda_\text{mse1}}{N} \|M_m \odot (G - x)\|^2
        + \frac{\lambda_\text{mse2}}{N} \|(1 - M_m) \odot (G - y)\|^2 + \lambda_p L_\text{percept}(M_p, G, x)

    Masked W+ optimisation :math:`W_l(M_p, M_m, w_m, w_i, x)` is :meth:`w_plus` of the terms of :meth:`likeness`; masked
    style transfer :math:`M_{st}(M_s, w_m, w_i, y)` is :meth:`w_plus` of those of :meth:`style_of`; masked noise
    optimisation :math:`Mk_n(M, n_m, n_i, x, y)` is :meth:`noise` of those of :meth:`pixels_of`. An application adds up
    terms: :math:`W_l(M, x) + W_l(1 - M, y)` is one descent of both.

    Weights are relative: the paper's 1e-5, 1e-5 and 1e-5 are 1, 1 and 1 here, for Adam does not see a common factor.
    Its 5e-7 of the style belongs to Gram matrices whose scale it does not say; 30 of ours is where a style comes over
    on faces.

    References:
        | Image2StyleGAN++: How to Edit the Embedded Images? (Abdal et al., 2020), Eq. 1, Section 3.1 and 5.1-5.3
        | https://arxiv.org/abs/1911.11544

    Arguments:
        features: The network that images are compared by; None: pixels alone.
        latents, noise: Descents of the rows of w+ (in units of w) and of the noise maps (in units of their values). The
            paper's rates are 0.01 for w+, and 5 for the noise of StyleGAN, whose loss has another scale.
        pixels, outside, perceptual, style: :math:`\lambda_\text{mse1}, \lambda_\text{mse2}, \lambda_p, \lambda_s`.
        layers: Layers of the network that are compared; None for all that it gives (the paper's: conv1_1, conv1_2,
            conv2_2, conv3_3 of VGG16).
        style_layer: Layer of the style; None for the network's middle one (the paper's: conv3_3).
    """

    def __init__(
        self,
        features: FeatureNetwork | None,
        latents: Descent,
        noise: Descent,
        pixels: float = 1.0,
        outside: float = 1.0,
        perceptual: float = 1.0,
        style: float = 30.0,
        layers: Sequence[str] | None = None,
        style_layer: str | None = None,
    ) -> None:
        for name, value in (("pixels", pixels), ("outside", outside), ("perceptual", perceptual), ("style", style)):
            require_number(name, value)
        if pixels == 0 and (features is None or perceptual == 0):
            raise ValueError(
                f"pixels must be positive where features (dataset.features) is null or perceptual 0, got {pixels}"
            )
        self.features = None if features is None else features.eval().requires_grad_(False)
        self.distance = None if features is None else FeatureDistance(features, layers)
        self.descents = {"latents": latents, "noise": noise}
        self.weights = {
            "pixels": pixels,
            "outside": outside,
            "perceptual": 0.0 if features is None else perceptual,
            "style": style,
        }
        self.style_layer = style_layer

    def likeness(self, x: Tensor, mask: Tensor | None = None, feature_mask: Tensor | None = None) -> list[Term]:
        """Return the terms that compare with images x :math:`(N, C, H, W)`: their pixels within the mask :math:`M_m`,
        and what the network sees within :math:`M_p`, by default the same."""
        terms: list[Term] = [Pixels(x, mask, self.weights["pixels"])] if self.weights["pixels"] else []
        if self.weights["perceptual"]:
            seen = mask if feature_mask is None else feature_mask
            terms.append(Perceptual(self.distance, x, seen, self.weights["perceptual"]))
        return terms

    def style_of(self, y: Tensor, mask: Tensor | None = None) -> list[Term]:
        """Return the term that compares with the style of images y within the mask."""
        if self.features is None:
            raise ValueError("the style of an image needs the dataset's network, got dataset.features=null")
        return [Style(self.features, y, self.style_layer, mask, self.weights["style"])]

    def pixels_of(self, x: Tensor, y: Tensor | None = None, mask: Tensor | None = None) -> list[Term]:
        """Return the terms that compare with the pixels of x within the mask and, with a weight of their own, with
        those of y outside."""
        terms: list[Term] = [Pixels(x, mask, self.weights["pixels"] or 1.0)]
        if y is not None and mask is not None and self.weights["outside"]:
            terms.append(Pixels(y, 1 - mask, self.weights["outside"]))
        return terms

    def w_plus(
        self,
        space: LatentSpace,
        codes: Codes,
        terms: Sequence[Term],
        rows: Sequence[int] | None = None,
        closeness: float = 0.0,
        track: Track = untracked,
        watch: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[Codes, dict[str, Tensor]]:
        """Optimise the rows of w+; the rest of the codes stays.

        Arguments:
            space: The space w+.
            codes: Codes at the start, :math:`w_i`.
            terms: Terms whose sum is the loss.
            rows: The layer mask :math:`w_m`: rows that change; None for all.
            closeness: Weight of the mean square of the change of w, which keeps it near a code that is known to be
                good.
            track: Shows the progress.
            watch: Returns numbers :math:`(N,)` of the images :math:`(N, C, H, W)` of each step.

        Returns:
            The codes, and by name, each with shape :math:`(T, N)`: the ``loss``, and ``watched`` where there is a
            watch.
        """
        require_rows(space)
        rows = list(range(space.shape[0])) if rows is None else list(rows)
        if not rows or not 0 <= min(rows) <= max(rows) < space.shape[0]:
            raise ValueError(
                f"rows must be numbers from 0 to {space.shape[0] - 1} of this generator, at least one, got {rows}"
            )
        fixed, index = codes.latents.detach(), torch.tensor(rows, device=codes.latents.device)
        start, loss, curves = fixed[:, index], Watched(MaskedLoss(self.features, terms), watch, len(fixed)), {}

        def losses(values: list[Tensor]) -> Tensor:
            found = loss(space.decode(codes.moved(fixed.index_copy(1, index, values[0]))))
            return found if not closeness else found + closeness * (values[0] - start).square().flatten(1).mean(1)

        (best,), curves["loss"] = self.descents["latents"].minimise([start], losses, "w+", track, loss.curves)
        return codes.moved(fixed.index_copy(1, index, best)), curves | loss.stack()

    def noise(
        self,
        space: LatentSpace,
        codes: Codes,
        terms: Sequence[Term],
        maps: Sequence[int] | None = None,
        track: Track = untracked,
        watch: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[Codes, dict[str, Tensor]]:
        """Optimise the noise maps, which are free numbers added to the outputs of the convolutions; the rest of the
        codes stays.

        They start from those that the codes have (``noise.<i>``), else from the generator's own: StyleGAN2's stored
        maps, whose strength the network learned, or MobileStyleGAN's constants, which are all but 0 in its large layers
        and are no noise that it was trained with.

        Arguments:
            space, codes, terms, track, watch: See :meth:`w_plus`, whose results these are.
            maps: The layer mask :math:`n_m`: numbers of the maps that change; None for all.
        """
        require_rows(space)
        stored = space.generator.noise_maps()
        if not stored:
            raise ValueError(
                "gan must be a generator with noise maps (StyleGAN2, MobileStyleGAN), "
                f"got a {type(space.generator).__name__}"
            )
        maps = list(range(len(stored))) if maps is None else list(maps)
        if not maps or not 0 <= min(maps) <= max(maps) < len(stored):
            raise ValueError(
                f"maps must be numbers from 0 to {len(stored) - 1} of this generator, at least one, got {maps}"
            )
        num = len(codes)
        share = codes.given.get("noise", torch.ones(num, device=codes.latents.device))[:, None, None, None]
        names = [f"noise.{i}" for i in maps]
        start = [codes.given.get(name, share * stored[i]) for name, i in zip(names, maps)]
        codes = codes.moved(codes.latents.detach())
        loss, curves = Watched(MaskedLoss(self.features, terms), watch, num), {}

        def losses(values: list[Tensor]) -> Tensor:
            return loss(space.decode(codes.with_given(dict(zip(names, values)))))

        best, curves["loss"] = self.descents["noise"].minimise(start, losses, "noise", track, loss.curves)
        return codes.with_given(dict(zip(names, best))), curves | loss.stack()


class Watched:
    """A loss of ``num`` images that also keeps the numbers that a watch returns for them."""

    def __init__(self, loss: MaskedLoss, watch: Callable[[Tensor], Tensor] | None, num: int) -> None:
        self.loss, self.watch = loss, watch
        self.curves = {} if watch is None else {"watched": Curve(num)}

    def __call__(self, images: Tensor) -> Tensor:
        if self.watch is not None:
            self.curves["watched"].append(self.watch(images.detach()))
        return self.loss(images)

    def stack(self) -> dict[str, Tensor]:
        """Return the curves by name, each with shape :math:`(T, N)`."""
        return {name: curve.stack() for name, curve in self.curves.items()}


def require_rows(space: LatentSpace) -> None:
    """Raise a ValueError unless the space is w+."""
    if space.name != "w+":
        raise ValueError(
            f"gan.space must be w+ for Image2StyleGAN++, got {space.name!r} of a {type(space.generator).__name__}"
        )


def mean_codes(space: LatentSpace, num: int, spread: float = 0.0, rngs: Sequence[torch.Generator] = ()) -> Codes:
    """Return the start of a search in w+: the mean of w in each row, plus :math:`U[-s, s]` with the spread s, drawn for
    each image by its own ``rng``."""
    require_rows(space)
    latents = space.generator.mapping.mean.expand(num, *space.shape).clone()
    if spread:
        noise = torch.stack([2 * torch.rand(space.shape, generator=rng) - 1 for rng in rngs])
        latents = latents + spread * noise.to(latents)
    return space.codes(latents, stored_noise=True)
