"""Today's names of classes that older versions named otherwise. A run's configuration keeps the names it was written
with."""

from __future__ import annotations

from collections.abc import Mapping

from latent_lab.installation import read_choice

MODULES = {  # of version 0.1.0
    "latent_lab.attributes.emotion": "latent_lab.attributes.faces.emotion",
    "latent_lab.attributes.face_crops": "latent_lab.attributes.faces.face_crops",
    "latent_lab.attributes.facemesh": "latent_lab.attributes.faces.facemesh",
    "latent_lab.attributes.faceres": "latent_lab.attributes.faces.faceres",
    "latent_lab.attributes.mobileface": "latent_lab.attributes.faces.mobileface",
    "latent_lab.attributes.published": "latent_lab.attributes.faces.published",
    "latent_lab.attributes.selfie": "latent_lab.attributes.faces.selfie",
    "latent_lab.attributes.ssrnet": "latent_lab.attributes.faces.ssrnet",
    "latent_lab.inversion.descent": "latent_lab.inversion.optimisation.descent",
    "latent_lab.inversion.distortion": "latent_lab.inversion.hfgi.distortion",
    "latent_lab.inversion.encoder": "latent_lab.inversion.encoders.encoder",
    "latent_lab.inversion.encoder_objective": "latent_lab.inversion.encoders.objective",
    "latent_lab.inversion.fusion": "latent_lab.inversion.fusion.hierarchy",
    "latent_lab.inversion.fusion_objective": "latent_lab.inversion.fusion.objective",
    "latent_lab.inversion.fusion_training": "latent_lab.inversion.fusion.training",
    "latent_lab.inversion.hfgi": "latent_lab.inversion.hfgi.hfgi",
    "latent_lab.inversion.hfgi_sf": "latent_lab.inversion.fusion.hfgi_sf",
    "latent_lab.inversion.hfgi_training": "latent_lab.inversion.hfgi.training",
    "latent_lab.inversion.i2spp": "latent_lab.inversion.optimisation.i2spp",
    "latent_lab.inversion.masked": "latent_lab.inversion.optimisation.masked",
    "latent_lab.inversion.optimise": "latent_lab.inversion.optimisation.i2s",
    "latent_lab.inversion.projector": "latent_lab.inversion.optimisation.projector",
    "latent_lab.inversion.pti": "latent_lab.inversion.optimisation.pti",
    "latent_lab.inversion.ranger": "latent_lab.inversion.encoders.ranger",
    "latent_lab.inversion.style_encoder": "latent_lab.inversion.encoders.style_encoder",
    "latent_lab.inversion.style_training": "latent_lab.inversion.encoders.style_training",
    "latent_lab.methods.assessor": "latent_lab.methods.ganalyze",
    "latent_lab.methods.editing": "latent_lab.methods.enjoy_your_editing",
    "latent_lab.methods.hyperplane": "latent_lab.methods.interfacegan",
    "latent_lab.methods.pca": "latent_lab.methods.ganspace",
    "latent_lab.methods.random_basis": "latent_lab.methods.random",
    "latent_lab.methods.steering": "latent_lab.methods.steerability",
    "latent_lab.methods.trajectory": "latent_lab.methods.factors_of_variation",
    "latent_lab.reconstructors.module": "latent_lab.methods.reconstructor_training",
    "latent_lab.workflows.loggers": "latent_lab.training.loggers",
}
CLASSES = {"latent_lab.workflows.loggers.wandb_logger": "latent_lab.training.loggers.RunWandbLogger"}

# what every evaluation of version 0.1.0 measured, and what `evaluation.extras` added
MEASURED = (
    "side_effects",
    "commutativity",
    "order_matrix",
    "identity",
    "round_trip",
    "length",
    "fields",
    "order_floor",
    "ranking",
    "recovery",
)


def current_evaluation(evaluation: Mapping) -> dict:
    """Return an evaluation's configuration as this version has it: the metrics that it measures are nodes of their own,
    and what it measured are its targets."""
    if "name" not in evaluation:  # what debug=fast sets for others
        return dict(evaluation)
    current = {key: value for key, value in evaluation.items() if key not in ("extras", "choose_by")}
    if "targets" not in current:
        current |= {"targets": evaluation.get("attributes"), "candidates": 3}
    if "metrics" in current:
        return current
    extras = evaluation.get("extras")
    chosen = dict.fromkeys(MEASURED, {}) | (dict(extras) if isinstance(extras, Mapping) else {})
    metrics = {}
    for name, options in chosen.items():
        node = read_choice("metric", name)
        if node is None or not isinstance(options, Mapping):
            continue
        metrics[name] = {**node[name], **options}
    return current | {"metrics": metrics}


def current_name(target: str) -> str:
    """Return the dotted name that a class has in this version.

    >>> current_name("latent_lab.methods.pca.GANSpace")
    'latent_lab.methods.ganspace.GANSpace'
    """
    module, _, name = target.rpartition(".")
    return CLASSES.get(target) or f"{MODULES.get(module, module)}.{name}"
