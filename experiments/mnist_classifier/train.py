"""The digit classifier that the package ships: python experiments/mnist_classifier/train.py

Trains on the first 9,000 of the digits in data/mnist (all but the last 1,000) and writes
latent_lab/attributes/weights/mnist_classifier.safetensors with its card.
"""

import latent_lab.cpu_torchvision  # noqa: F401  (before lightning)

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from latent_lab.attributes.classifier import WEIGHTS
from latent_lab.checkpoints import native
from latent_lab.installation import CONF
from latent_lab.pretraining.judge import train_classifier

EPOCHS, SEED = 15, 0

if __name__ == "__main__":
    config = OmegaConf.merge({"seed": SEED}, {"dataset": OmegaConf.load(CONF / "dataset" / "mnist.yaml")})
    data = instantiate(config.dataset.data)
    data.prepare_data()
    data.setup()
    images, labels = data.train_split()
    classifier = train_classifier(images, labels, EPOCHS, SEED)
    unseen, truth = data.held_out_split()
    with torch.no_grad():
        probabilities = classifier(unseen).softmax(1)
    accuracy = (probabilities.argmax(1) == truth).float().mean().item()
    confidence = probabilities.amax(1).mean().item()
    WEIGHTS.mkdir(exist_ok=True)
    (WEIGHTS / "mnist_classifier.safetensors").write_bytes(
        native.to_bytes(classifier.state_dict(), {"config": classifier.config})
    )
    size = sum(p.numel() for p in classifier.parameters())
    (WEIGHTS / "mnist_classifier.md").write_text(
        "# mnist_classifier\n\n"
        f"Three strided convolutions, an embedding of {classifier.config['embedding']} numbers and a linear head: "
        f"{size:,} parameters.\n\n"
        f"- data: MNIST, {len(images):,} images; the last {data.held_out:,} of the files were held out\n"
        f"- training: {EPOCHS} epochs of batch 128, AdamW, images shifted by up to 2 pixels each way, seed {SEED}\n"
        "- command: `python experiments/mnist_classifier/train.py`\n"
        f"- on the held-out images: accuracy {accuracy:.3f}, mean top confidence {confidence:.3f}\n"
        "- licence: MIT, as the rest of latent_lab\n"
    )
    print((WEIGHTS / "mnist_classifier.md").read_text())
