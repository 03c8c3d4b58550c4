"""The keys of ``gan``, ``dataset`` and ``trainer``: of which kind each is, and what it means.

A key whose name ends in ``?`` may be left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from latent_lab.configuration.kinds import Built, Key

NODE, NETWORK = Built(), Built("torch.nn.Module")
TEXT, WHOLE = str | None, int | None

EDITS = {
    "num_paths": Key(int, "paths that are worth asking for"),
    "amounts": Key(Sequence[float], "[smallest, largest] magnitude of an edit that methods train on, in latent units"),
    "length": Key(float, "length of an edit at which methods are compared, in latent units"),
    "feature?": Key(TEXT, "submodule whose outputs latentclr and hessian_penalty compare; null: the images"),
    "contrast": Key(float, "weight of method=curvilinear's contrast; 0 where its pool costs too much"),
    "pool": Key(int, "latents at which the contrast has the image's metric: D + 1 images each"),
}
SOURCE = {
    "file?": Key(TEXT, "name of the file of weights in the cache or in the package"),
    "url?": Key(TEXT, "where it is fetched from; null: nowhere"),
    "sha256?": Key(TEXT, "its checksum; null: none is published"),
    "size?": Key(WHOLE, "its bytes"),
    "licence?": Key(TEXT, "its licence"),
    "package?": Key(Mapping[str, Any] | None, "the installed package that has it"),
    "hint?": Key(TEXT, "what to do where the file is missing"),
}
GAN: dict[str, Any] = {
    "name": Key(str, "what tables and folders call the generator"),
    "weights": Key(TEXT, "null: the named weights of source; a file; or random"),
    "source": SOURCE,
    "size?": Key(Literal["full", "tiny"], "tiny takes the arguments of tiny, for tests"),
    "space": Key(Literal["z", "w", "w+", "s"], "latent space that is edited"),
    "truncation": Key(float, "distance of samples from the mean, as a share; 1 is no truncation"),
    "truncation_layers?": Key(WHOLE, "how many of the first layers the truncation reaches; null: all"),
    "noise?": Key(Literal["const", "none", "random"], "noise maps of samples"),
    "preview?": Key(Mapping[str, Any] | None, "a cheaper generator of the same latents that methods may train on"),
    "edits": EDITS,
    "generator": Key(Built("latent_lab.gans.base.Generator"), "the class, as _target_, and its arguments"),
    "tiny?": Key(Mapping[str, Any] | None, "arguments of a small untrained generator: the contract tests build it"),
    "pretraining?": Key((NODE, None), "the training from scratch; null: there is none"),
}
PREVIEW = GAN | {"generator": Mapping[str, Any]}  # what of a gan its preview may replace
DATASET: dict[str, Any] = {
    "name": Key(str, "what tables call the data set"),
    "data": Key((NODE, None), "the images: a LightningDataModule; null: none, only predictors"),
    "attributes?": Key((Built("latent_lab.attributes.base.Attributes"), None), "the predictor of attributes"),
    "identity?": Key((NETWORK, None), "the predictor of who or what an image shows"),
    "content?": Key((NETWORK, None), "what method=enjoy_your_editing keeps: another network than identity's"),
    "judges?": Key(
        (Built("latent_lab.attributes.base.Attributes"), None),
        "measures some of the attributes, under their names, by other means that no method is trained on",
    ),
    "features?": Key((NETWORK, None), "the network whose maps inverters compare"),
    "targets": Key(
        (Sequence[str], None), "attributes that paths are chosen and scored for; null: all that are measured"
    ),
    "folder?": Key(str, "where the predictors' files are"),
}
TRAINER: dict[str, Any] = {
    "accelerator": Key(str, "cpu, gpu or auto"),
    "devices": Key(int | str | Sequence[int], "how many, or which"),
    "strategy": Key(str, "auto, ddp or another of Lightning's"),
    "precision": Key(str | int, "32-true, bf16-mixed or 16-mixed; paths are computed in float32 whatever it is"),
    "max_steps": Key(int, "steps of the training"),
    "gradient_clip_val": Key(float | None, "greatest norm of the gradient; null: any"),
    "val_check_interval": Key(int | float | None, "steps between two validations; null: none"),
    "limit_val_batches": Key(int | float, "batches of a validation; 0: none"),
    "log_every_n_steps": Key(int, "steps between two rows of the logs"),
}
