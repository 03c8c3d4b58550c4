"""Errors that the commands treat differently from others."""


class NotApplicable(ValueError):
    """A method does not work in this latent space, or with the attributes of this dataset.

    A single command fails with it. A sweep skips the method and goes on.
    """
