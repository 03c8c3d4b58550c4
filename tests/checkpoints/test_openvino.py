"""MobileStyleGAN from OpenVINO's graphs: a tiny one written here, and the published one where its package is
installed."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from latent_lab import load_generator
from latent_lab.gans.mobilestylegan import MobileStyleGAN
from tests.checkpoints import openvino_writer
from tests.checkpoints.layouts import random_weights


@pytest.fixture
def model() -> MobileStyleGAN:
    return random_weights(MobileStyleGAN(12, 8, [8, 12, 6], mapping_layers=2))


def test_a_written_graph_comes_back(model, tmp_path):
    found = load_generator(openvino_writer.write(model, tmp_path))
    assert type(found) is MobileStyleGAN and found.config == model.config
    w = torch.randn(3, found.num_rows, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        reference = model.synthesise(w, {})
        torch.testing.assert_close(
            found.synthesise(w, {}), reference, rtol=1e-4, atol=1e-5 * reference.abs().max().item()
        )
        z = torch.randn(2, 12, generator=torch.Generator().manual_seed(1))
        torch.testing.assert_close(found.mapping(z, None), model.mapping(z, None))
        styles = model.mapping(torch.randn(10_000, 12, generator=torch.Generator().manual_seed(0)), None)
    torch.testing.assert_close(found.mapping.mean, styles.mean(0), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace(b"<net", b"<!DOCTYPE net [<!ENTITY a 'a'>]><net"), "declares entities"),
        (lambda text: text[:-20], "its XML is damaged"),
        (lambda text: text.replace(b'offset="0"', b'offset="-8"'), "does not fit its numbers"),
        (lambda text: text.replace(b'shape="8, 8"', b'shape="800000, 8"'), "does not fit its numbers"),
        (lambda text: text.replace(b"to_img", b"to_nothing"), "looks like mobilestylegan_openvino but is damaged"),
    ],
)
def test_a_damaged_graph_is_refused(change, message, model, tmp_path):
    file = openvino_writer.write(model, tmp_path)
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(ValueError, match=message):
        load_generator(file)


def test_numbers_that_are_missing_are_said(model, tmp_path):
    file = openvino_writer.write(model, tmp_path)
    file.with_suffix(".bin").unlink()
    with pytest.raises(ValueError, match="SynthesisNetwork.bin must lie beside it"):
        load_generator(file)


@pytest.mark.skipif(importlib.util.find_spec("random_face") is None, reason="random_face is not installed: make faces")
def test_the_published_network_makes_colours_of_its_range():
    generator = load_generator("mobilestylegan")
    space = generator.space("w", truncation=0.7)
    with torch.no_grad():
        image = space.decode(space.sample(1, torch.Generator().manual_seed(0)))
    assert image.shape == (1, 3, 1024, 1024) and image.abs().max() < 2.5 and 0.1 < image.std() < 1
    assert generator.num_rows == 23


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("random_face", "openvino")),
    reason="random_face and openvino are not installed: make faces, pip install openvino",
)
def test_the_published_network_equals_openvino():
    import openvino

    from latent_lab.checkpoints.locate import find_in_package
    from latent_lab.gans.codes import Codes

    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    file = find_in_package(
        {"name": "random_face", "version": "", "install": "make faces", "files": {}}, "data/SynthesisNetwork.xml"
    )
    synthesis = core.compile_model(core.read_model(str(file)), "CPU")
    mapping = core.compile_model(core.read_model(str(file.with_name("MappingNetwork.xml"))), "CPU")
    generator = load_generator(file)
    for z in torch.randn(8, 1, 512, generator=torch.Generator().manual_seed(0)):
        w = torch.from_numpy(mapping(z.numpy())[0])
        image = torch.from_numpy(synthesis(w.numpy())[0])
        with torch.no_grad():
            assert (generator.mapping(z, None) - w).abs().max() < 1e-4
            assert (generator.decode("w", Codes(w)) - image).abs().max() <= 1e-4 * image.abs().max()
