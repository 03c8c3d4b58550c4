"""The papers' own predictors, on random weights in the published layouts."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import resnet34

from latent_lab.attributes.faces import published
from latent_lab.attributes.faces.published import (
    ArcFaceIdentity,
    ArcFaceNetwork,
    CelebAFive,
    CelebANetwork,
    FairFace,
    Hopenet,
    HopenetNetwork,
    crop_for_arcface,
)
from latent_lab.attributes.user_files import expectation, load_user_file

pytestmark = pytest.mark.slow


COUNTER = "num_batches_tracked"


class Nowhere(nn.Module):
    """A detector that finds a face in every image but the first."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        boxes = torch.tensor([[8.0, 56.0, 8.0, 56.0]]).repeat(len(images), 1)
        boxes[0] = torch.nan
        return boxes


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of random weights of each predictor, as published: bare, without counters, and under state_dict."""
    folder = tmp_path_factory.mktemp("predictors")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(resnet34(num_classes=18).state_dict(), folder / "fairface.pt")
        pose = {name: value for name, value in HopenetNetwork().state_dict().items() if COUNTER not in name}
        unused = {"fc_finetune.weight": torch.zeros(3, 2051), "fc_finetune.bias": torch.zeros(3)}
        torch.save(pose | unused, folder / "hopenet.pkl", _use_new_zipfile_serialization=False)
        torch.save({"epoch": 3, "state_dict": CelebANetwork().state_dict()}, folder / "celeba.pth.tar")
        torch.save(ArcFaceNetwork((16, 16, 32, 32)).state_dict(), folder / "arcface.pth")
    return folder


@pytest.fixture
def images(rng) -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=rng) * 2 - 1


def within(values: torch.Tensor, predictor) -> None:
    assert values.shape[1] == len(predictor.names) == len(predictor.units) == len(predictor.ranges)
    low, high = torch.tensor(predictor.ranges).unbind(1)
    assert ((values >= low) & (values <= high)).all()


@pytest.mark.parametrize("races", [7, 4])
def test_fairface(files, images, races):
    predictor = FairFace(str(files / "fairface.pt"), races)
    values = predictor(images)
    within(values, predictor)
    assert len(predictor.names) == 2 + races
    torch.testing.assert_close(values[:, 2:].sum(1), torch.ones(2))
    logits = predictor.network(predictor.crops(images)[0])[0].double()
    years = [1.5, 6.5, 15, 25, 35, 45, 55, 65, 75]
    weights = [value.exp().item() for value in logits[9:18]]
    assert values[0, 0].item() == pytest.approx(sum(w * y for w, y in zip(weights, years)) / sum(weights), rel=1e-5)
    assert values[0, 1].item() == pytest.approx(
        (logits[8].exp() / (logits[7].exp() + logits[8].exp())).item(), rel=1e-5
    )
    assert values[0, 3].item() == pytest.approx((logits[1].exp() / logits[:races].exp().sum()).item(), rel=1e-5)


def test_hopenet(files, images):
    predictor = Hopenet(str(files / "hopenet.pkl"))
    values = predictor(images)
    within(values, predictor)
    logits = predictor.network(predictor.crops(images)[0])[1, 1].double()  # the second image's pitch
    by_hand = sum((3 * i - 99) * value.exp().item() for i, value in enumerate(logits)) / logits.exp().sum().item()
    assert values[1, 1].item() == pytest.approx(by_hand, abs=1e-3)


def test_celeba_scores_do_not_depend_on_the_batch(files, images):
    predictor = CelebAFive(str(files / "celeba.pth.tar"))
    values = predictor(images)
    within(values, predictor)
    torch.testing.assert_close(predictor(images[1:]), values[1:], atol=1e-4, rtol=0)
    assert CelebAFive(str(files / "celeba.pth.tar"), side=32)(images).shape == (2, 5)


def test_an_image_without_a_face_has_no_score(files, images):
    predictor = Hopenet(str(files / "hopenet.pkl"), detector=Nowhere())
    values = predictor(images)
    assert values[0].isnan().all() and values[1].isfinite().all()


def test_arcface(files, images, monkeypatch):
    monkeypatch.setattr(published, "ArcFaceNetwork", lambda: ArcFaceNetwork((16, 16, 32, 32)))
    identity = ArcFaceIdentity(str(files / "arcface.pth"))
    embeddings = identity(images)
    assert embeddings.shape == (2, 32)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))
    with torch.device("meta"):
        layout = {name: tuple(value.shape) for name, value in ArcFaceNetwork().state_dict().items()}
    assert layout["output_layer.3.weight"] == (512, 25088) and layout["output_layer.4.running_mean"] == (512,)


def test_arcfaces_crop_is_rows_35_to_222_and_columns_32_to_219():
    images = -torch.ones(1, 3, 256, 256)
    images[0, :, 35:223, 32:220] = 0.5
    torch.testing.assert_close(crop_for_arcface(images), torch.full((1, 3, 112, 112), 0.5))
    images[0, :, 35, 219] = 1  # the first row, the last column
    marked = crop_for_arcface(images)[0, 0]
    assert marked[0, -1] > 0.5 and marked[-1, 0] == 0.5
    large = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(crop_for_arcface(large), crop_for_arcface(images))


def test_gradients_reach_the_pixels(files, images):
    images.requires_grad_()
    FairFace(str(files / "fairface.pt"))(images)[:, 0].sum().backward()
    assert images.grad.abs().sum() > 0


def test_expectation_rises_where_the_published_score_is_a_saw():
    levels = torch.arange(6.0)
    shares = torch.linspace(0.05, 0.9, 9)
    steps = torch.stack(
        [torch.tensor([0.01, 0.01, 0.01, 0.96 - share, share, 0.01]) for share in shares]
    ).log()  # from level 3 to 4
    scores = expectation(steps, levels)
    assert (scores.diff() > 0).all()
    top, best = steps.softmax(1).max(1)
    assert (((best + top) / 6).diff() < 0).any()


class Evil:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize(
    "content, message",
    [
        ({"conv1.weight": torch.zeros(64, 3, 7, 7)}, r"does not fit HopenetNetwork: missing \['bn1\.bias', .* \.\.\."),
        ([1, 2], r"must hold a state dict, got a list"),
        ({"a": "text"}, r"must hold a state dict, got a dict"),
        (Evil(), r"is no state dict that can be read safely"),
    ],
    ids=["other keys", "a list", "no tensors", "code"],
)
def test_other_files_are_refused_in_one_line(tmp_path, capsys, content, message):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt " + message) as error:
        Hopenet(str(tmp_path / "other.pt"))
    assert "\n" not in str(error.value) and "executed" not in capsys.readouterr().out


def test_other_shapes_damaged_and_missing_files_are_refused(tmp_path):
    module = nn.Linear(2, 3)
    torch.save({"weight": torch.zeros(3, 4), "bias": torch.zeros(3)}, tmp_path / "wide.pt")
    with pytest.raises(
        ValueError, match=r"wide\.pt does not fit Linear: shape \['weight \(3, 4\) instead of \(3, 2\)'\]"
    ):
        load_user_file(module, str(tmp_path / "wide.pt"))
    for content in (b"", b"text", (tmp_path / "wide.pt").read_bytes()[:200]):
        (tmp_path / "cut.pt").write_bytes(content)
        with pytest.raises(ValueError, match=r"cut\.pt is no state dict that can be read safely"):
            load_user_file(module, str(tmp_path / "cut.pt"))
    with pytest.raises(FileNotFoundError, match=r"Linear: weights must be a file, got .*none\.pt"):
        load_user_file(module, str(tmp_path / "none.pt"))


def test_races_are_seven_or_four(files):
    with pytest.raises(ValueError, match="races must be 7 or 4, got 5"):
        FairFace(str(files / "fairface.pt"), 5)
