"""The numbers that each option may have, by its key: one table, read by :mod:`latent_lab.configuration.validate`."""

from __future__ import annotations

from typing import NamedTuple

LARGEST = 1e12  # of any number


class Range(NamedTuple):
    """Numbers from ``low`` to ``high``.

    Arguments:
        low: The lower end.
        high: The upper end.
        whole: Whether only integers are allowed.
        above: Whether ``low`` itself is excluded.
    """

    low: float
    high: float = LARGEST
    whole: bool = False
    above: bool = False

    def holds(self, value: float) -> bool:
        """Whether the value is in this range."""
        inside = self.low < value <= self.high if self.above else self.low <= value <= self.high
        return inside and not (self.whole and not isinstance(value, int))

    def __str__(self) -> str:
        kind = "an integer" if self.whole else "a number"
        if self.high >= LARGEST:
            return f"{kind} {'above' if self.above else 'of at least'} {self.low:.16g}"
        return (
            f"{kind} above {self.low:.16g} and at most {self.high:.16g}"
            if self.above
            else f"{kind} from {self.low:.16g} to {self.high:.16g}"
        )


def count(high: float, low: int = 1) -> Range:
    """Return the range of the integers from ``low`` to ``high``."""
    return Range(low, high, whole=True)


MANY, MORE = 10**6, 10**9  # of images or latents; of steps
SEED, POSITIVE, SHARE, SIGNED, WEIGHT = (
    count(2**32 - 1, 0),
    Range(0, above=True),
    Range(0, 1),
    Range(-LARGEST),
    Range(0),
)
FAR = Range(0, 10_000, above=True)  # in units of the latent

# the longest end of a key that is here counts; other numbers are not negative
RANGES: dict[str, Range] = {
    "seed": SEED,
    "seeds": SEED,
    "source": SEED,  # of edit: seeds
    "split_seed": SEED,
    # how many, at once or in all
    "batch_size": count(100_000),
    "num_paths": count(100_000),
    "num_latents": count(MANY, 2),
    "prior_latents": count(MANY, 2),
    "ranking_latents": count(100_000),
    "matrix_latents": count(10_000),
    "limit_latents": count(100_000),
    "pairs": count(10_000),
    "resamples": count(MANY),
    "strip_steps": count(999),
    "num": count(MANY),
    "data.num": count(MORE),
    "num_samples": count(10**8),
    "num_trajectories": count(MANY),
    "num_dipoles": count(100_000),
    "samples": count(10**8),
    "judge.samples": count(MANY),
    "judge.epochs": count(10_000, 0),
    "judge.steps": count(MANY),
    "statistics_batches": count(MANY),
    "validation_batches": count(MANY),
    "orthogonality_paths": count(100_000, 2),
    "pool": count(MANY),
    "encoder.pool": count(MANY, 0),
    "probe": count(MANY, 2),
    "together": count(MANY),
    "chunk": count(MANY),
    "rank": count(100_000),
    "held_out": count(MORE),
    "train_encoder.held_out": count(MANY),
    "completions": count(1000),
    "candidates": count(MANY, 0),
    "count": count(MANY),
    "faces": count(1000),
    "frames": count(10_000, 2),
    "fps": count(1000),
    "workers": count(256, 0),
    "smallest": count(100_000),
    "gigabytes": Range(0, 10_000, above=True),
    # steps
    "steps": count(MORE),
    "latents.steps": count(MORE, 0),
    "noise.steps": count(MORE, 0),
    "held_out_steps": count(MORE),
    "iterations": count(MANY),
    "method.steps": count(10_000),
    "patience": count(MORE),
    "keep_every": POSITIVE,
    "checkpoint_every": count(MORE),
    "checkpointing.every": count(MORE),
    "encoder.every": count(MORE),
    "optimiser.every": count(MORE, 0),
    "slope_every": count(MORE),
    "first": count(MORE, 0),
    "times": count(MANY, 2),
    # sizes
    "resolution": count(8192, 4),
    "size": count(8192),
    "image_size": count(8192),
    "pixels": Range(0),
    "generator.pixels": count(8192),
    "preview.generator.pixels": count(8192),
    "image_channels": Range(1, 4, whole=True),
    "widths": count(65_536),
    "depths": count(1000),
    "width": count(65_536),
    "hidden": count(10**6),
    "head_width": count(65_536),
    "depth": count(100),
    "latent_dim": count(100_000),
    "style_dim": count(100_000),
    "embedding": count(100_000),
    "mapping_layers": count(1000, 0),
    "flow.layers": count(1000),
    "paths.layers": count(1000),
    "network.layers": count(1000),
    "common_layers": count(1000, 0),
    "levels": count(100),
    "classes": count(10**6, 0),
    "labels": count(10**6, 0),
    "reduction": count(65_536),
    "channel_base": count(10**7),
    "channel_max": count(65_536),
    # rates, weights and shares
    "lr": POSITIVE,
    "lr_paths": POSITIVE,
    "lr_reconstructor": POSITIVE,
    "lr_critic": POSITIVE,
    "lr_generator": POSITIVE,
    "lr_latents": POSITIVE,
    "learning_rate": POSITIVE,
    "lr_decay": SHARE,
    "ema": SHARE,
    "flip": SHARE,
    "chance": SHARE,
    "drop": SHARE,
    "share": SHARE,
    "train": SHARE,
    "presence": SHARE,
    "application.amount": SHARE,
    "scale": SHARE,
    "mask": SHARE,
    "region": SHARE,
    "objective.region": WEIGHT,
    "temperature": POSITIVE,
    "penalty": POSITIVE,
    "blur": Range(0, 1, above=True),
    "sparsity": POSITIVE,
    "transformations": POSITIVE,
    # how far, and in how fine steps: an integrator takes as many as one holds of the other
    "length": FAR,
    "objective.length": WEIGHT,
    "reach": FAR,
    "amounts": Range(0, 10_000),
    "largest": FAR,
    "step": Range(1e-4, 10_000),
    "orthogonality_step": Range(1e-4, 10_000),
    "time": Range(0, 1000, above=True),
    "atol": Range(1e-12, 1),
    "rtol": Range(1e-12, 1),
    "truncation": Range(0, 100),
    "truncation_layers": count(1000, 0),
    "quality.shares": Range(0, 1000),
    # either sign
    "changes": Range(-10_000, 10_000),
    "colour": Range(-1, 1),
    "edits": Range(-MANY, MANY),
    "gan.edits": WEIGHT,
    "values": SIGNED,
    "attention": count(1000, 0),
    # Lightning's trainer
    "trainer.max_steps": count(MORE),
    "trainer.min_steps": count(MORE),
    "trainer.max_epochs": count(MORE, -1),
    "trainer.num_sanity_val_steps": count(MORE, -1),
    "trainer.log_every_n_steps": count(MORE),
    "trainer.check_val_every_n_epoch": count(MORE),
    "trainer.accumulate_grad_batches": count(MANY),
    "trainer.num_nodes": count(100_000),
    "trainer.devices": count(100_000, -1),
    "trainer.val_check_interval": Range(0, MORE, above=True),
    "trainer.limit_train_batches": Range(0, MORE, above=True),
    "trainer.limit_val_batches": Range(0, MORE),
    "trainer.gradient_clip_val": POSITIVE,
}


NAMED = ("transformations", "values", "edits")  # dictionaries of names that are the user's


def find_range(key: str, command: str) -> Range:
    """Return the range of a dotted key. A command's own key is looked up as ``<command>.<key>`` first."""
    above = key.rpartition(".")[0]
    for part in (key, above) if above.rpartition(".")[2] in NAMED else (key,):
        ends = [command, *part.split(".")]
        for first in range(len(ends)):
            if (found := RANGES.get(".".join(ends[first:]))) is not None:
                return found
    return WEIGHT
