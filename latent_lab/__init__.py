"""Discover, score and apply semantic paths in the latent spaces of pretrained generators."""

__version__ = "0.2.0"
__all__ = ["discover", "load_generator", "load_run"]


def __getattr__(name: str):
    # lazily: importing torch costs two seconds, and --help must answer at once
    if name in __all__:
        from latent_lab import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
