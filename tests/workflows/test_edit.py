"""``edit``: what it writes is what the paths say, and what is wrong is one line."""

from __future__ import annotations

import json
import sys
import types

import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from PIL import Image

from latent_lab import edit as command
from latent_lab import load_run
from latent_lab.checkpoints import native
from latent_lab.data.pictures import find_pictures
from latent_lab.editing.editor import Editor, editing_space
from latent_lab.editing.sources import InvertedPictures, Picture, Samples
from latent_lab.figures.strips import make_picture
from latent_lab.gans.codes import Codes
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.inversion.optimisation.descent import Descent
from latent_lab.naming import Edit
from latent_lab.paths.layerwise import LayerwisePaths
from latent_lab.paths.linear import LinearPaths
from latent_lab.paths.local import LocalBasisPaths
from latent_lab.paths.rbf import RBFPaths
from latent_lab.paths.rowwise import RowwisePaths
from latent_lab.workflows.edit import make_title, new_folder, require_options

EDITS = [Edit("one", 0, 1.0, 1.5, False), Edit("other", 1, 1.0, -0.7, False)]


@pytest.fixture
def style() -> StyleGAN2:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return StyleGAN2(latent_dim=6, style_dim=6, widths=[8, 8], mapping_layers=2).eval().requires_grad_(False)


def run_edit(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["latent_lab.edit", *arguments])
    GlobalHydra.instance().clear()
    command.main()


@pytest.mark.drawn
def test_samples_are_edited_by_name_and_number(train, tmp_path, monkeypatch, capsys):
    run = train("method=linear")
    name, entry = next(iter(json.loads((run / "names.json").read_text()).items()))
    ask = 0.5 * max(entry["reachable"], key=abs)
    asked = (
        f"run={run}",
        "source=[3,5]",
        f"edits={{{name}: {ask}, path1: -1.5}}",
        "frames=3",
        "steps=3",
        "prove_order=true",
    )
    run_edit(monkeypatch, *asked, "target=done", "fps=5")
    summary = json.loads((tmp_path / "done" / "edits.json").read_text())
    first, second = summary["edits"]
    assert (
        first["calibrated"]
        and first["path"] == entry["path"]
        and second == Edit("path1", 1, -1.5, -1.5, False)._asdict()
    )
    space, paths, metadata = load_run(run)
    for stem in ("seed3", "seed5"):
        start = Samples(space, [3, 5]).open_picture(stem).codes
        expected = start.latents
        for part in (first, second):
            expected = paths.shift(expected, torch.tensor([part["path"]]), torch.tensor([part["amount"]]))
        tensors, description = native.read(tmp_path / "done" / "latents" / f"{stem}.safetensors")
        assert torch.equal(tensors["latents"], expected) and torch.equal(tensors["before"], start.latents)
        assert description["generator"] == metadata["generator"] and description["space"] == "z"
        pixels = np.array(Image.open(tmp_path / "done" / "images" / f"{stem}.png"))
        assert (pixels == np.asarray(make_picture([space.decode(start.moved(expected))]))).all()
        found = summary["pictures"][stem]
        assert max(found["order"]["latents"]) < 1e-5 and found["order"]["orders"] == [[name, "path1"], ["path1", name]]
        assert found["attributes"][name]["change"] == pytest.approx(
            found["attributes"][name]["after"] - found["attributes"][name]["before"], abs=1e-4
        )
        assert found["identity"]["to_start"] > 0 and "to_original" not in found["identity"]
        for file in (f"pictures/{stem}.png", f"walks/{stem}.png", f"walks/{stem}.gif", "overview.png"):
            assert (tmp_path / "done" / file).stat().st_size > 100
    assert {"config.yaml", "environment.json", "command.txt"} <= {file.name for file in (tmp_path / "done").iterdir()}
    assert f"{name} {ask:+.3g} (measured" in capsys.readouterr().out

    run_edit(monkeypatch, *asked, "target=again", "fps=5")
    for file in (tmp_path / "done").rglob("*.*"):
        other = tmp_path / "again" / file.relative_to(tmp_path / "done")
        if file.suffix == ".safetensors":  # their metadata has no order
            one, same = native.read(file), native.read(other)
            assert one[1] == same[1] and all(torch.equal(value, same[0][key]) for key, value in one[0].items())
        elif file.suffix in (".png", ".gif"):
            assert file.read_bytes() == other.read_bytes(), file.name

    far = 3 * max(entry["reachable"], key=abs)
    run_edit(monkeypatch, f"run={run}", "source=0", f"edits={{{name}: {far}}}", "walk=null", "steps=3")
    assert f"{name} by {far:+g} standard deviations is outside the calibrated range" in capsys.readouterr().err
    (folder,) = (tmp_path / "outputs" / "edits" / "sngan_mnist").iterdir()
    assert folder.name.endswith("-s0") and [file.name for file in (folder / "walks").iterdir()] == ["seed0.png"]

    wrong = {
        ("edits={hat: 1}",): f"paths of .* are called .*{name}.* or path0 to path3, got 'hat'",
        ("edits={}",): "edits must be names and strengths",
        ("edits={path0: big}",): r"edits.* must .*number.*, got .*'big'",
        ("edits={path0: .nan}",): r"edits.* must .*number.*, got .*nan",
        ("walk=avi",): r"walk must be .*gif.*mp4.*, got 'avi'",
        ("steps=4",): "steps must be odd",
        ("frames=1",): "frames must be .* 2 .*, got 1",
        ("source=[1,1]",): "source must be an inversion's folder, or different seeds",
        ("source=[-1]",): "source must be .*, got .*-1",
        ("source=nowhere",): "got 'nowhere', which is no folder",
        ("images=[a]",): r"images must be null where source is seeds, got \['a'\]",
        ("layers=1",): "layers needs gan.space=w\\+",
        ("correction=hfgi",): "correction must be null where source is seeds",
        ("run=nowhere",): "run must be a run's folder",
        ("target=done",): "target must be a new folder, got 'done', which holds something",
    }
    before = sorted(tmp_path.rglob("*"))
    for arguments, message in wrong.items():
        with pytest.raises(SystemExit, match=message):
            edits = () if "edits" in arguments[0] else ("edits={path0: 1}",)
            run_edit(monkeypatch, f"run={run}", "source=[0]", "target=new", *edits, *arguments)
    assert sorted(tmp_path.rglob("*")) == before

    other = StyleGAN2(latent_dim=6, style_dim=6, widths=[8, 8], mapping_layers=1)
    fake = types.SimpleNamespace(open=lambda *folder: types.SimpleNamespace(space=lambda: other.space("w")))
    monkeypatch.setattr("latent_lab.editing.sources.Inversions", fake)
    with pytest.raises(SystemExit, match="run must be of the generator that source was inverted on, whose hash is"):
        run_edit(monkeypatch, f"run={run}", f"source={tmp_path}", "edits={path0: 1}")


class Inverted:
    """An inversion's folder as the contract has it, without the folder."""

    def __init__(self, space, rng) -> None:
        self.drawn = space.sample(2, rng)
        self.drawn = Codes(self.drawn.latents, {"noise.0": torch.randn(2, 1, 4, 4, generator=rng)})

    def list_names(self):
        return ["a", "b"]

    def codes(self, name):
        return self.drawn.select(slice(0, 1) if name == "a" else slice(1, 2))

    def target(self, name):
        return torch.zeros(3, 8, 8)

    def tuned_space(self, space, name):
        if name == "a":
            return space
        import copy

        tuned = copy.deepcopy(space)
        tuned.generator.const.data += 1
        return tuned


def test_photographs_keep_their_conditions_and_their_tuned_generator(style, rng):
    space = style.space("w+")
    source = InvertedPictures(Inverted(space, rng), space, None)
    paths = LinearPaths(6, 2, "orthogonal", rng=rng).requires_grad_(False)
    const = style.const.clone()
    for name in source.names:
        picture = source.open_picture(name)
        editor = Editor(picture, paths, "w", EDITS, correct=None)
        latents = editor.apply([0, 1])
        step = 1.5 * paths.matrix()[:, 0] - 0.7 * paths.matrix()[:, 1]
        torch.testing.assert_close(latents, picture.codes.latents + step)  # w paths on the rows of w+
        _, codes = editor.final(latents)
        assert codes.given.keys() == {"noise.0"} and torch.equal(codes.given["noise.0"], picture.codes.given["noise.0"])
        torch.testing.assert_close(editor.images(latents), picture.space.decode(codes))
        assert torch.equal(picture.space.decode(codes), space.decode(codes)) == (name == "a")
    assert torch.equal(style.const, const)
    with pytest.raises(
        ValueError, match=r"images must be of the inversion, \['a', 'b'\], or null for all, got \['c'\]"
    ):
        InvertedPictures(source.inversions, space, ["c"])


def test_a_correction_sees_the_edited_codes_and_is_given_to_the_generator(style, rng):
    space, seen = style.space("w+"), []
    picture = InvertedPictures(Inverted(space, rng), space, None).open_picture("a")

    def correct(space, codes, target, edited):
        seen.append((len(target), torch.equal(codes.latents, edited.latents)))
        return space.name, edited.with_given({"noise.1": torch.ones(len(target), 1, 8, 8)})

    paths = LinearPaths(6, 2, "free", rng=rng).requires_grad_(False)
    editor = Editor(picture, paths, "w", EDITS, correct=correct, batch_size=2)
    latents = editor.apply([0], [0.5, 1.0, 2.0])
    images = editor.images(latents)
    assert seen == [(2, False), (1, False)] and images.shape == (3, 3, 8, 8)
    for i in range(3):
        torch.testing.assert_close(images[i : i + 1], editor.images(latents[i : i + 1]))
    assert not torch.allclose(images, Editor(picture, paths, "w", EDITS).images(latents))


@pytest.mark.parametrize("kind", ["w", "layerwise", "rowwise"])
def test_layers_leave_the_other_rows_alone(kind, style, rng):
    base = LinearPaths(6, 2, "free", rng=rng).requires_grad_(False)
    rows = RowwisePaths.along(torch.randn(2, 4, 6, generator=rng))
    paths = {"w": base, "layerwise": LayerwisePaths(base, range(4)), "rowwise": rows}[kind]
    space = style.space("w" if kind == "w" else "w+")
    editor = Editor(Picture("a", space, space.sample(1, rng)), paths, "w" if kind == "w" else "w+", EDITS, layers="1-2")
    start, moved = editor.codes.latents, editor.apply([0, 1])
    assert start.shape == (1, 4, 6) and torch.equal(moved[:, [0, 3]], start[:, [0, 3]])
    whole = paths.shift(start[:, 1] if kind == "w" else start, torch.tensor([0]), torch.tensor([1.5]))
    torch.testing.assert_close(editor.apply([0])[:, 1], whole if kind == "w" else whole[:, 1])


def test_local_directions_are_those_of_the_start(style, rng):
    space = style.space("w")
    paths = LocalBasisPaths(6, 3)
    codes = space.sample(1, rng)
    for layers in (None, "0-1"):
        editor = Editor(Picture("a", space, codes), paths, "w", EDITS, layers=layers)
        directions = paths.anchor(space, codes).given["directions"][0]
        step = 1.5 * directions[0] - 0.7 * directions[1]
        moved = editor.apply([0, 1]) - editor.codes.latents
        torch.testing.assert_close(moved[0] if layers is None else moved[0, 1], step, rtol=1e-4, atol=1e-5)
        assert "directions" not in editor.final(editor.apply([0]))[1].given
        assert max(editor.prove_order()["latents"]) < 1e-5


def test_the_proof_of_order_finds_what_does_not_commute(style, rng):
    space = style.space("w")
    picture = Picture("a", space, space.sample(1, rng))
    three = [*EDITS, Edit("third", 2, 1.0, 1.0, False)]
    found = Editor(picture, RBFPaths(6, 3, num_dipoles=4, rng=rng).requires_grad_(False), "w", three).prove_order()
    assert (
        len(found["orders"]) == 6
        and found["latents"][0] == 0
        and max(found["latents"]) > 1e-3
        and max(found["images"]) > 1e-4
    )
    linear = LinearPaths(6, 3, "free", rng=rng).requires_grad_(False)
    four = Editor(picture, linear, "w", [*three, EDITS[0]]).prove_order()
    assert len(four["orders"]) == 2 and four["orders"][1] == four["orders"][0][::-1] and max(four["images"]) < 1e-4


def test_codes_go_to_later_spaces_only():
    spaces = ("z", "w", "w+", "s")
    assert editing_space("w", "w+", spaces, None) == "w+" and editing_space("w", "z", spaces, None) == "w"
    assert editing_space("w", "w", spaces, "1") == "w+" and editing_space("s", "w+", spaces, None) == "s"
    for found_in, codes_in in (("z", "w+"), ("z", "w"), ("w+", "s"), ("w", "s")):
        with pytest.raises(
            ValueError,
            match=(
                f"codes of space {codes_in.replace('+', '.')} can take, got paths of space {found_in.replace('+', '.')}"
            ),
        ):
            editing_space(found_in, codes_in, spaces, None)


def test_titles_are_two_lines_whatever_an_edit_is_called():
    assert make_title(Edit("a\nb\x1b", 0, 2.0, 1.0, True)) == "a b\\x1b\n+2 sd"


def test_the_name_of_a_strangers_generator_is_no_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = OmegaConf.create({"gan": {"name": "../../../evil"}, "seed": "../0"})
    result = new_folder(OmegaConf.create({"target": None}), made)
    assert result.folder.resolve().parent.parent == tmp_path / "outputs" / "edits"


@pytest.mark.parametrize(
    "option, low, high",
    [("steps", 3, 99), ("frames", 2, 1000), ("fps", 1, 120), ("batch_size", 1, 4096)],
    ids=lambda value: str(value),
)
def test_options_have_a_range(option, low, high):
    plain = {"walk": None, "steps": 7, "frames": 24, "fps": 12, "batch_size": 8}
    for value in (low, high):
        require_options(OmegaConf.create(plain | {option: value}))
    for value in (low - 1, high + 1, -1, 10**12, float("nan"), float("inf"), 7.0, "7", True, None):
        with pytest.raises(
            ValueError, match=f"^{option} must be at least {low} and at most {high}, a whole number, got "
        ):
            require_options(OmegaConf.create(plain | {option: value}))


LEGAL = ["$a_b^$", "overview", "a", "a_walks", "A", "x" * 245, "=1+1", "-rf", "a\x1b[31m", "scores", "\udcff"]


def test_real_digits_are_inverted_and_edited(train, no_scores, tmp_path, monkeypatch, capsys):
    from latent_lab import invert

    run = train("method=linear", "gan.weights=null", "gan.generator={latent_dim: 64, widths: [64, 64, 32, 16]}")
    pixels = torch.rand(2, 32, 32, generator=torch.Generator().manual_seed(0)).mul(255).byte().numpy()
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"digit{number}.png")
    for number, name in enumerate(LEGAL):
        (tmp_path / "legal").mkdir(exist_ok=True)
        Image.fromarray(pixels[number % 2]).save(tmp_path / "legal" / f"{name}.png")
    monkeypatch.setattr(
        sys,
        "argv",
        ["latent_lab.invert", f"images={tmp_path}/digit*.png", "inverter.steps=2", "target=inverted"],
    )
    GlobalHydra.instance().clear()
    invert.main()
    run_edit(
        monkeypatch, f"run={run}", "source=inverted", "edits={path0: 2}", "walk=null", "target=done", "images=[digit1]"
    )
    assert [file.name for file in (tmp_path / "done" / "latents").iterdir()] == ["digit1.safetensors"]
    found = json.loads((tmp_path / "done" / "edits.json").read_text())["pictures"]["digit1"]
    assert 0 < found["identity"]["to_original"] <= 2
    inverted, edited = (
        native.read(tmp_path / folder / "digit1.safetensors")[0] for folder in ("inverted/images", "done/latents")
    )
    assert torch.equal(edited["before"][0], inverted["latents"]) and not torch.equal(
        edited["latents"], edited["before"]
    )

    monkeypatch.setattr(
        sys, "argv", ["latent_lab.invert", f"images={tmp_path}/legal", "inverter.steps=1", "target=strange"]
    )
    GlobalHydra.instance().clear()
    invert.main()
    run_edit(
        monkeypatch,
        f"run={run}",
        "source=strange",
        "edits={path0: 2}",
        "walk=gif",
        "frames=2",
        "steps=3",
        "target=named",
    )
    names = set(find_pictures(str(tmp_path / "legal")))
    assert len(names) == len(LEGAL) and {"$a_b^$", "overview", "a_walks", "=1+1", "_rf"} < names
    assert json.loads((tmp_path / "named" / "edits.json").read_text())["pictures"].keys() == names
    for folder, suffix in (
        ("latents", ".safetensors"),
        ("images", ".png"),
        ("pictures", ".png"),
        ("walks", ".png"),
        ("walks", ".gif"),
    ):
        assert {file.stem for file in (tmp_path / "named" / folder).iterdir() if file.suffix == suffix} == names
    with (
        Image.open(tmp_path / "named" / "overview.png") as whole,
        Image.open(tmp_path / "named" / "pictures" / "overview.png") as one,
    ):
        assert whole.height > 5 * one.height
    assert "\x1b[31m" not in capsys.readouterr().out

    with pytest.raises(SystemExit, match=r"images must be of the inversion, \['digit0', 'digit1'\]"):
        run_edit(monkeypatch, f"run={run}", "source=inverted", "edits={path0: 2}", "images=[digit7]")
    with pytest.raises(
        SystemExit,
        match="correction must be an inverter that corrects edited codes, such as hfgi or hfgi_sf, got 'i2s'",
    ):
        run_edit(monkeypatch, f"run={run}", "source=inverted", "edits={path0: 2}", "correction=i2s")
    for correction, message in (
        ("e5e", r"correction must be null or an inverter that corrects edits, of \[.*'i2s'.*\], got 'e5e'"),
        ("{inverter: i2s, speed: 3}", r"correction takes of inverter=i2s the options \[.*'steps'.*\], got \['speed'\]"),
    ):
        with pytest.raises(SystemExit, match=message):
            run_edit(monkeypatch, f"run={run}", "source=inverted", "edits={path0: 2}", f"correction={correction}")

    def correct(self, space, codes, target, edited):  # an inverter that does
        assert self.descent == Descent(3, 0.5) and target.shape == (len(edited), 1, 32, 32)
        seen.append((edited.latents - codes.latents).abs().max().item())
        return space.name, edited

    seen: list[float] = []
    monkeypatch.setattr("latent_lab.inversion.optimisation.i2s.Image2StyleGAN.correct", correct, raising=False)
    asked = (f"run={run}", "source=inverted", "edits={path0: 2}", "images=[digit0]", "walk=null", "steps=3")
    run_edit(monkeypatch, *asked, "correction={inverter: i2s, lr: 0.5}", "target=corrected")
    assert seen and max(seen) > 0.1
    with pytest.raises(SystemExit, match="run must be of the generator that source was inverted on"):
        run_edit(monkeypatch, f"run={train('method=random')}", "source=inverted", "edits={path0: 2}")
