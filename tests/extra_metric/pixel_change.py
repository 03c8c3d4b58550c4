"""A metric of a user's own: one file, and one yaml beside it."""

from latent_lab.metrics.base import Matrix, Measurement, Picture


class PixelChange(Measurement):
    """Mean absolute change of the pixels by two edits of equal length."""

    needs = ("", "kl")
    pictures = {"pixel_change": Picture("How much each pair changes.", "change of the pixels")}

    def observe(self, views):
        change = (views["kl"].images - views[""].images).abs().mean((1, 2, 3))
        return {"change": views.by_latent(change)}

    def scores(self, observed, setting):
        return [setting.bootstrap.score("pixel_change/kl", observed["change"], "grey levels", "")]

    def matrices(self, observed, setting):
        latents = [str(i) for i in range(len(observed["change"]))]
        pairs = [str(i) for i in range(observed["change"].shape[1])]
        return {"pixel_change": Matrix(observed["change"], latents, pairs, "", "latent", "pair", "pixel_change")}
