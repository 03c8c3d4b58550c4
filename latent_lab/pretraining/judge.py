"""The judgement of a generator's samples by a classifier trained on real images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.attributes.classifier import Classifier
from latent_lab.gans.space import LatentSpace


def train_classifier(images: Tensor, labels: Tensor, epochs: int, seed: int, batch_size: int = 128) -> Classifier:
    """Return a classifier trained, on the images' device, on images shifted by up to 2 pixels each way."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Classifier(images.shape[1], int(labels.max()) + 1).to(images.device)
        steps = epochs * (len(images) // batch_size)
        optimiser = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=max(steps, 2))
        for step in range(steps):
            if step % (len(images) // batch_size) == 0:
                order = torch.randperm(len(images))
            index = order[step % (len(images) // batch_size) * batch_size :][:batch_size]
            moved = torch.roll(images[index], torch.randint(-2, 3, (2,)).tolist(), (2, 3))
            loss = F.cross_entropy(model(moved), labels[index])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


@torch.no_grad()
def judge(
    space: LatentSpace, classifier: nn.Module, held_out: tuple[Tensor, Tensor], num: int, seed: int
) -> dict[str, object]:
    """Return the share of each class among ``num`` samples, their mean top confidence, and the classifier's accuracy on
    images that it has not seen."""
    rng = torch.Generator().manual_seed(seed)
    counts, confidence = torch.zeros(1), 0.0
    for start in range(0, num, 250):
        probabilities = classifier(space.decode(space.sample(min(250, num - start), rng))).softmax(1)
        best, label = probabilities.max(1)
        counts = counts + torch.bincount(label, minlength=probabilities.shape[1]).cpu()
        confidence += best.sum().item()
    accuracy = (classifier(held_out[0]).argmax(1) == held_out[1]).float().mean().item()
    return {
        "samples": num,
        "class_share": [round(share, 4) for share in (counts / num).tolist()],
        "mean_top_confidence": confidence / num,
        "classifier_accuracy_on_held_out": accuracy,
    }
