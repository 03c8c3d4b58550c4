"""Errors that the commands tell apart."""


class NotApplicable(ValueError):
    """A method does not work in this latent space, or with what this dataset measures. Alone it fails; a sweep skips it
    and is no failure."""
