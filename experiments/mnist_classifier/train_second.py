"""The second classifier of digits that the package ships: python experiments/mnist_classifier/train_second.py

It shares neither digits nor shape with the first, so that one may train what the other judges: it learns from the last
1,000 digits of data/mnist, which the first has not seen, turned, sheared, scaled and moved, and is tested on the 9,000
that the first was trained on. Writes latent_lab/attributes/weights/mnist_classifier_2.safetensors with its card.
"""

import latent_lab.cpu_torchvision  # noqa: F401  (before lightning)

import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from latent_lab.attributes.classifier import WEIGHTS, Classifier
from latent_lab.checkpoints import native
from latent_lab.installation import CONF

EPOCHS, BATCH, SEED, NAME = 150, 100, 1, "mnist_classifier_2"
WIDTHS, EMBEDDING, KERNEL = (12, 24, 32, 40), 48, 5


def move(images: Tensor) -> Tensor:
    """Turn images by up to 15 degrees, shear by up to 0.25, scale by up to 15 % each way, move by up to 2 pixels."""
    turn, shear, dx, dy = (
        (2 * torch.rand(4, len(images)) - 1) * torch.tensor([[0.26], [0.25], [0.125], [0.125]])
    ).unbind()
    wide, high = (1 + 0.15 * (2 * torch.rand(2, len(images)) - 1)).unbind()
    rows = [turn.cos() * wide, (shear - turn.sin()) * wide, dx, turn.sin() * high, turn.cos() * high, dy]
    grid = F.affine_grid(torch.stack(rows, 1).unflatten(1, (2, 3)), list(images.shape), align_corners=False)
    return F.grid_sample(images + 1, grid, align_corners=False) - 1


def train(images: Tensor, labels: Tensor) -> Classifier:
    """Return a classifier trained with moved and slightly noisy images."""
    torch.manual_seed(SEED)
    model = Classifier(1, 10, WIDTHS, EMBEDDING, KERNEL)
    steps = EPOCHS * (len(images) // BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=2e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    for _ in range(EPOCHS):
        for index in torch.randperm(len(images)).split(BATCH)[: len(images) // BATCH]:
            moved = move(images[index])
            loss = F.cross_entropy(model(moved + 0.1 * torch.randn_like(moved)), labels[index], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


if __name__ == "__main__":
    config = OmegaConf.merge({"seed": SEED}, {"dataset": OmegaConf.load(CONF / "dataset" / "mnist.yaml")})
    data = instantiate(config.dataset.data)
    data.prepare_data()
    data.setup()
    (unseen, truth), (images, labels) = data.train_split(), data.held_out_split()
    classifier = train(images, labels)
    with torch.no_grad():
        probabilities = torch.cat([classifier(part).softmax(1) for part in unseen.split(500)])
    accuracy = (probabilities.argmax(1) == truth).float().mean().item()
    (WEIGHTS / f"{NAME}.safetensors").write_bytes(
        native.to_bytes(classifier.state_dict(), {"config": classifier.config})
    )
    size = sum(p.numel() for p in classifier.parameters())
    (WEIGHTS / f"{NAME}.md").write_text(
        f"# {NAME}\n\n"
        f"Four strided convolutions of 5x5 pixels, an embedding of {EMBEDDING} numbers and a linear head: {size:,} "
        "parameters. It shares neither digits nor shape with mnist_classifier.\n\n"
        f"- data: MNIST, the last {len(images):,} images of the files, which mnist_classifier has not seen\n"
        f"- training: {EPOCHS} epochs of batch {BATCH}, AdamW, images turned by up to 15 degrees, sheared by up to "
        f"0.25, scaled by up to 15 % and moved by up to 2 pixels, noise of 0.1, labels smoothed by 0.05, seed {SEED}\n"
        "- command: `python experiments/mnist_classifier/train_second.py`\n"
        f"- on the other {len(unseen):,} images: accuracy {accuracy:.3f}, mean top confidence "
        f"{probabilities.amax(1).mean().item():.3f}\n"
        "- licence: MIT, as the rest of latent_lab\n"
    )
    print((WEIGHTS / f"{NAME}.md").read_text())
