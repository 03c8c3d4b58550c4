"""The commands that are run in a checkout: every method and inverter of its ``conf/`` and all other commands."""

from __future__ import annotations

from pathlib import Path

STYLE = ("gan=stylegan2", "gan.weights=random", "gan.size=tiny")
NETWORK = "encoder.network={resolution: 32, widths: [4, 8, 12, 16], depths: [1, 1, 1, 1], reduction: 2, head_width: 8}"
ENCODER = (*STYLE, "held_out=4", "encoder.batch_size=2", "encoder.objective.features=0", "encoder.objective.identity=0")
BLOCKS = tuple(f"blocks.{part}.steps=4" for part in ("latents", "noise"))
# grey levels as a mask of a person, so that no network is needed
GREY = ("person._target_=torch.nn.AdaptiveAvgPool3d", "+person.output_size=[1,null,null]")
METHODS = {  # options of methods beside debug=fast; a method that is not here takes none
    "interfacegan": ("method.num_samples=300", "method.share=0.2"),
    "ganspace": ("method.samples=2000",),
    "local_basis": STYLE,
    "factors_of_variation": ("method.num_trajectories=4", "method.iterations=2", "method.steps=2"),
    "imported": ("method.files=MADE/convert/directions.npy",),
    "lowrankgan": ("method.samples=2", "method.held_out=4"),
    "resefa": ("method.samples=2", "method.held_out=4"),
    **dict.fromkeys(("ganalyze", "steerability", "enjoy_your_editing"), ("method.limit_latents=2",)),
}
VARIANTS = {  # further runs of a method, by a name that begins with it
    "linear-orthogonality": ("method.objective.orthogonality=1",),
    "linear-free-shapes": ("gan=shapes", "method.paths.kind=free"),
    "linear-w": STYLE,
    "linear-w+": (*STYLE, "gan.space=w+"),
    "linear-resnet18": ("gan=sngan_avatars", "reconstructor=resnet18"),
    "warped-rk4-w": (*STYLE, "method.paths.integrator=rk4"),
    "curvilinear-shapes": ("gan=shapes",),
    "curvilinear-w": STYLE,
    "curvilinear-ffjord": ("flow=ffjord", "method.objective.length=0", "method.objective.log_det=1"),
    "curvilinear-ffjord-w": (*STYLE, "flow=ffjord"),
    "sefa-layers": (*STYLE, "gan.space=w+", "method.layers=2-3"),
    "ganspace-w": (*STYLE, "method.samples=2000"),
    "resefa-image": (*STYLE, "method.samples=2", "method.held_out=4", "method.per_image=true"),
    "local_basis-layers": (*STYLE, "gan.space=w+", "method.layers=1-4"),
    "steerability-network": ("method.paths.kind=network", "method.limit_latents=2"),
    **{
        f"random-{gan}": (f"gan={gan}", "gan.weights=random", "gan.size=tiny")
        for gan in ("proggan", "biggan", "biggan_deep")
    },
    "random-stylegan3_afhq": ("gan=stylegan3_afhq", "gan.weights=random", "gan.size=tiny"),
    "random-mobilestylegan": ("gan=mobilestylegan", "gan.weights=random", "gan.size=tiny", "dataset=colour"),
    "random-glo": ("gan=glo", "gan.weights=random"),
}
PTI = ("inverter.steps=4", "inverter.pivot.steps=4")
INVERTERS = {  # options of inverters; one that is not here takes the steps of i2s
    "i2spp": tuple(f"inverter.{block}" for block in BLOCKS),
    "projector": ("inverter.steps=4", "inverter.pixels=1", "inverter.samples=100"),
    "pti": (*PTI, "inverter.pivot.pixels=1", "inverter.pivot.samples=100", "inverter.locality=0.1"),
    **{
        name: (f"inverter.weights=MADE/encoder-{name}/encoder.safetensors",)
        for name in ("psp", "e4e", "restyle", "hfgi")
    },
    "hfgi_sf": (
        *(
            "inverter.hfgi.weights=MADE/encoder-hfgi/encoder.safetensors",
            "inverter.hierarchy.weights=MADE/fusion/hierarchy.json",
        ),
        *("inverter.person._target_=torch.nn.AdaptiveAvgPool3d", "+inverter.person.output_size=[1,null,null]"),
    ),
}
IN_Z = {
    "i2s": INVERTERS.get("i2s", ("inverter.steps=4",)),
    "projector": INVERTERS["projector"],
    "pti": INVERTERS["pti"],
}
HFGI = (
    "encoder.alignment.widths=[4,4,4,4]",
    "encoder.consultation={widths: [4, 4, 4], head_width: 4}",
    "encoder.resolution=32",
)
COMPOSITIONS = {
    "crossover": ("images=[MADE/inputs/a.png,MADE/inputs/b.png]", "mask=[0,0,1,0.5]"),
    "inpainting": ("seeds=[4]", "mask=[0.2,0.2,0.6,0.6]", "application.completions=2"),
    "fusion": (
        "seeds=[3,4]",
        "hierarchy=church",
        "hierarchy.weights=MADE/church.json",
        "application.regions=[all,background]",
    ),
}
EDITS = ("edits={path0: 1, path1: -1.5}", "prove_order=true", "steps=3", "frames=3", "target=OUT")


def planned(conf: Path) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return names, commands and arguments, in order; MADE is the kept folder and OUT the run's own in it."""

    def names(group: str) -> list[str]:
        return sorted(file.stem for file in (conf / group).glob("*.yaml"))

    def train(name: str, options: tuple[str, ...]) -> tuple[str, str, tuple[str, ...]]:
        return name, "train", (f"method={name.split('-')[0]}", "debug=fast", *options)

    plan = [train(name, METHODS.get(name, ())) for name in names("method") if name != "imported"]
    plan += [train(name, options) for name, options in VARIANTS.items()]
    plan += [
        ("convert", "convert", ("run=MADE/sefa", "target=OUT/directions.npy")),
        train("imported", METHODS["imported"]),
    ]
    plan += [("linear-paper", "evaluate", ("run=OUT", "evaluation=paper", "debug=fast"))]
    small = (
        "num_paths=2",
        "num_latents=8",
        "prior_latents=16",
        "ranking_latents=2",
        "matrix_latents=2",
        "resamples=20",
        "batch_size=16",
    )
    extras = ("held_out.steps=4", "held_out.num=16", "naturalness.steps=2", "naturalness.num=16", "quality.num=16")
    part = "metrics" if (conf / "metric").is_dir() else "extras"  # as version 0.1.0 called it
    small += tuple(f"{part}.{option}" for option in extras)
    plan += [("warped-full", "evaluate", ("run=OUT", *(f"evaluation.{option}" for option in small)))]
    for name in ("e4e", "psp", "restyle"):
        plan += [(f"encoder-{name}", "train_encoder", (f"encoder={name}_small", "debug=fast", *ENCODER, NETWORK))]
    hfgi = ("encoder=hfgi_small", "debug=fast", *ENCODER, "encoder.weights=MADE/encoder-e4e/encoder.safetensors", *HFGI)
    plan += [("encoder-hfgi", "train_encoder", hfgi)]
    fusion = (
        "region=[0,0,0.5,1]",
        *GREY,
        "network.common_layers=2",
        "fusion.batch_size=2",
        "features.features=null",
        "held_out=2",
    )
    plan += [("fusion", "train_fusion", (*STYLE, *fusion, "trainer.max_steps=4", "checkpoint_every=2"))]
    for gan in ("sngan_mnist", "glo"):
        plan += [(f"pretrain-{gan}", "pretrain", (f"gan={gan}", "debug=fast"))]
    for name in names("inverter"):
        options = (f"inverter={name}", *INVERTERS.get(name, IN_Z["i2s"]), "images=MADE/inputs", "perceptual=null")
        plan += [(f"invert-{name}", "invert", (*STYLE, *options))]
    for name, options in IN_Z.items():
        plan += [
            (
                f"invert-{name}-digits",
                "invert",
                (f"inverter={name}", *options, "images=held_out", "count=2", "perceptual=null"),
            )
        ]
    plan += [("edit-samples", "edit", ("run=MADE/curvilinear", "source=[0,1]", *EDITS))]
    plan += [("edit-digits", "edit", ("run=MADE/interfacegan", "source=MADE/invert-pti-digits", *EDITS))]
    plan += [("edit-layers", "edit", ("run=MADE/linear-w", "source=MADE/invert-i2spp", "layers=1-4", *EDITS))]
    plan += [("edit-hfgi", "edit", ("run=MADE/linear-w", "source=MADE/invert-hfgi", "correction=hfgi", *EDITS))]
    steps = tuple(f"application.{block}" for block in BLOCKS)
    return plan + [
        (f"compose-{name}", "compose", (f"application={name}", *STYLE, *steps, *o)) for name, o in COMPOSITIONS.items()
    ]
