"""The options of each command and their types. Options of a ``_target_`` are read off its class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal, get_type_hints

from latent_lab.configuration.kinds import Built
from latent_lab.configuration.schema import DATASET, GAN, NETWORK, NODE, TEXT, WHOLE
from latent_lab.configuration.signatures import locate_class

PROTOCOL = locate_class("latent_lab.evaluation.protocol.Protocol")  # by its name, as all that a configuration builds
TEXTS = str | Sequence[str] | None
EVALUATION = {
    **{field.name: get_type_hints(PROTOCOL)[field.name] for field in fields(PROTOCOL)},
    "attributes": (Sequence[str], None),
    "perceptual": (NETWORK, None),
    "metrics": Mapping[str, (Built("latent_lab.metrics.base.Measurement"), None)],
}
LOGGERS = (Mapping[str, Built], None)
TRAINING = {
    "dataset": DATASET,
    "gan": GAN,
    "trainer": Built("pytorch_lightning.Trainer"),
    "logger?": LOGGERS,
    "callbacks?": (Mapping[str, Built("pytorch_lightning.Callback")], None),
    "seed": int,
    "run": TEXT,
    "target?": TEXT,
    "weights?": TEXT,
    "checkpoint_every": int,
}
DEVICE = {"device": str}
OPTIONS: dict[str, dict[str, Any]] = {
    "train": {
        **TRAINING,
        "flow": NODE,
        "reconstructor": NETWORK,
        "method": Built("latent_lab.methods.base.Method"),
        "evaluation": EVALUATION,
        "label": TEXT,
        "compile": bool,
    },
    "pretrain": {
        **TRAINING,
        "compile": bool,
        "statistics_batches": int,
        "judge": {"epochs": int, "samples": int, "steps": int},
    },
    "train_encoder": {
        **TRAINING,
        "encoder": NODE,
        "compile": bool,
        "images": Literal["samples", "dataset"],
        "held_out": int,
        "distance": NETWORK,
    },
    "train_fusion": {
        **TRAINING,
        "node": str,
        "person": NODE,
        "region": (NODE, Sequence[float], str),
        "network": {"width": WHOLE, "hidden": WHOLE, "layers": WHOLE, "common_layers": int},
        "features": NODE,
        "fusion": NODE,
        "held_out": int,
    },
    "evaluate": {"evaluation": EVALUATION, "logger?": LOGGERS, "run": TEXTS, "weights?": TEXT, **DEVICE},
    "compare": {"run": TEXTS, "protocol": str, "against": TEXT, "target": TEXT, "columns": Sequence[str]},
    "convert": {
        "source": TEXT,
        "run": TEXT,
        "weights?": TEXT,
        "path": int | str | None,
        "target": str,
        "layout": Literal["nvlabs", "rosinality", None],
        "pixels": WHOLE,
    },
    "edit": {
        "source": int | str | Sequence[int],
        "images": (Sequence[str], None),
        "run": str,
        "weights?": TEXT,
        "edits": Mapping[str, float],
        "layers": int | str | Sequence[int | str] | None,
        "correction": (str, Mapping[str, Any], None),
        "prove_order": bool,
        "steps": int,
        "walk": Literal["gif", "mp4", None],
        "frames": int,
        "fps": int,
        "batch_size": int,
        "target": TEXT,
        **DEVICE,
    },
    "compose": {
        "dataset": DATASET,
        "gan": GAN,
        "application": Built("latent_lab.inversion.applications.base.Application"),
        "hierarchy": NODE,
        "source": TEXT,
        "images": (Sequence[str], None),
        "seeds": (Sequence[int], None),
        "mask": (NODE, Sequence[float], str, None),
        "seed": int,
        "target?": TEXT,
        **DEVICE,
    },
    "invert": {
        "dataset": DATASET,
        "gan": GAN,
        "inverter": Built("latent_lab.inversion.base.Inverter"),
        "images": TEXTS,
        "count": int,
        "keep_every?": float,
        "align": Literal["none", "ffhq"],
        "faces": int | str,
        "space": Literal["z", "w", "w+", None],
        "batch_size": int,
        "perceptual": (NETWORK, None),
        "seed": int,
        "target?": TEXT,
        "precision": Literal["32-true", "bf16-mixed"],
        "compile": bool,
        "run": TEXT,
        "weights?": TEXT,
        **DEVICE,
    },
}
