"""The avatar classifier that the package ships: python experiments/avatars/train_classifier.py

Trains on the first 9,000 of the avatars that draw.js has written into data/avatars, with the attributes that they were
drawn with, and writes latent_lab/attributes/weights/avatar_classifier.safetensors with its card, its accuracy measured
on the last 1,000.
"""

import csv

import latent_lab.cpu_torchvision  # noqa: F401  (before lightning)

import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from latent_lab.attributes.classifier import WEIGHTS, Classifier
from latent_lab.checkpoints import native
from latent_lab.installation import CONF

EPOCHS, BATCH, SEED = 10, 128, 0


def true_classes(file: str, values: dict[str, list[float]]) -> Tensor:
    """Which of its values each attribute has, :math:`(N, A)`, from the table that draw.js writes."""
    with open(file, newline="") as stream:
        rows = list(csv.DictReader(stream))
    return torch.tensor([[numbers.index(float(row[name])) for name, numbers in values.items()] for row in rows])


def train(images: Tensor, classes: Tensor, sizes: list[int]) -> Classifier:
    """The sum of the attributes' cross-entropies, on images moved by up to 2 pixels each way, with noise that blurs the
    drawings' exact colours."""
    torch.manual_seed(SEED)
    model = Classifier(3, sum(sizes))
    steps = EPOCHS * (len(images) // BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    for _ in range(EPOCHS):
        for index in torch.randperm(len(images)).split(BATCH)[: len(images) // BATCH]:
            moved = torch.roll(images[index], torch.randint(-2, 3, (2,)).tolist(), (2, 3))
            logits = model(moved + 0.1 * torch.randn_like(moved)).split(sizes, 1)
            loss = sum(F.cross_entropy(part, classes[index, attribute]) for attribute, part in enumerate(logits))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


if __name__ == "__main__":
    config = OmegaConf.merge({"seed": SEED}, {"dataset": OmegaConf.load(CONF / "dataset" / "avatars.yaml")})
    values = OmegaConf.to_container(config.dataset.attributes.parts[0]["values"])
    sizes = [len(numbers) for numbers in values.values()]
    data = instantiate(config.dataset.data)
    data.prepare_data()
    data.setup()
    classes = true_classes(data.folder / "attributes.csv", values)
    images, unseen = data.train_split()[0], data.held_out_split()[0]
    classifier = train(images, classes[: len(images)], sizes)
    truth = classes[len(images) :]
    with torch.no_grad():
        found = torch.stack([logits.argmax(1) for logits in classifier(unseen).split(sizes, 1)], 1)
    scores = (found == truth).float().mean(0).tolist()
    usual = [(truth[:, i] == classes[: len(images), i].mode().values).float().mean().item() for i in range(len(sizes))]
    (WEIGHTS / "avatar_classifier.safetensors").write_bytes(
        native.to_bytes(classifier.state_dict(), {"config": classifier.config})
    )
    size = sum(p.numel() for p in classifier.parameters())
    card = [
        "# avatar_classifier\n",
        f"Three strided convolutions, an embedding of {classifier.config['embedding']} numbers and a linear head for "
        f"all attributes: {size:,} parameters.\n",
        f"- data: avatars, {len(images):,} images with the attributes that they were drawn with "
        f"(experiments/avatars/draw.js, seed 0); the last {len(unseen):,} were held out",
        f"- training: {EPOCHS} epochs of batch {BATCH}, AdamW, images shifted by up to 2 pixels each way, "
        f"noise of 0.1, seed {SEED}",
        "- command: `python experiments/avatars/train_classifier.py`",
        "- licence: MIT, as the rest of latent_lab; the drawings are CC0 1.0 (DiceBear, Pixel Art)\n",
        "| attribute | classes | accuracy on held-out avatars | always the most frequent class |",
        "|---|---|---|---|",
        *[f"| {name} | {sizes[i]} | {scores[i]:.3f} | {usual[i]:.3f} |" for i, name in enumerate(values)],
    ]
    (WEIGHTS / "avatar_classifier.md").write_text("\n".join(card) + "\n")
    print((WEIGHTS / "avatar_classifier.md").read_text())
