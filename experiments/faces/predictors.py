"""How far the predictors of faces can be trusted: do two of them agree, what does a mirror do to them, who is told from
whom, what do they cost.

    python experiments/faces/predictors.py faces.npy     ->  the table of docs/faces.md

faces.npy holds images (N, 3, H, W) in [-1, 1] of different faces that are aligned as FFHQ's; `make faces` must have
been run.
"""

import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

from latent_lab.attributes.base import Together
from latent_lab.attributes.faces.dlib_identity import DlibIdentity
from latent_lab.attributes.faces.emotion import Smile
from latent_lab.attributes.faces.facemesh import FaceGeometry
from latent_lab.attributes.faces.faceres import FaceRes, FaceResIdentity
from latent_lab.attributes.faces.mobileface import MobileFaceIdentity
from latent_lab.attributes.faces.selfie import PersonMask
from latent_lab.attributes.faces.ssrnet import SSRNetGender

BATCH = 8


def measured(network: torch.nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, float]:
    """What the network says of the images, and milliseconds an image."""
    network(images[:BATCH])
    begun = time.perf_counter()
    values = torch.cat([network(batch) for batch in images.split(BATCH)])
    return values, 1000 * (time.perf_counter() - begun) / len(images)


@torch.no_grad()
def main(file: str) -> None:
    images = torch.from_numpy(np.load(file, allow_pickle=False)).float()
    mirror = images.flip(3)
    attributes = Together([FaceRes(), Smile(), FaceGeometry(), SSRNetGender()])
    values, took = measured(attributes, images)
    back = measured(attributes, mirror)[0]
    back[:, attributes.names.index("yaw")] *= -1
    print(f"{len(images)} faces of {images.shape[2]} pixels, batches of {BATCH}, {torch.get_num_threads()} threads\n")
    print(
        "| attribute | mean | standard deviation | mean absolute difference of a mirror image | not measured "
        "|\n|---|---|---|---|---|"
    )
    for name, one, other in zip(attributes.names, values.T, back.T):
        found = one[one.isfinite()]
        print(
            f"| {name} | {found.mean():.2f} | {found.std():.2f} | {(one - other).abs().nanmean():.2f} | "
            f"{int(one.isnan().sum())} |"
        )
    male, judge = (values[:, attributes.names.index(name)] for name in ("male", "male_judge"))
    print(
        f"\nmale and male_judge agree at {int(((male > 0.5) == (judge > 0.5)).sum())} of {len(images)}, correlation ",
        end="",
    )
    print(f"{torch.corrcoef(torch.stack([male, judge]))[0, 1]:.2f}; all attributes take {took:.0f} ms an image\n")
    print(
        "| identity | cosine with the mirror image: mean, least | cosine with others: mean, "
        "largest | not found | ms an image |\n|---|---|---|---|---|"
    )
    for identity in (FaceResIdentity(), MobileFaceIdentity(), DlibIdentity()):
        found, took = measured(identity, images)
        same = F.cosine_similarity(found, measured(identity, mirror)[0])
        known = F.normalize(found[found.isfinite().all(1)])
        others = (known @ known.T)[~torch.eye(len(known), dtype=torch.bool)]
        same = same[same.isfinite()]
        row = (
            f"{same.mean():.3f}, {same.min():.3f} | {others.mean():.3f}, {others.max():.3f} | {len(found) - len(known)}"
        )
        print(f"| {type(identity).__name__} | {row} | {took:.0f} |")
    print(f"\nPersonMask takes {measured(PersonMask(), images)[1]:.0f} ms an image")


if __name__ == "__main__":
    main(sys.argv[1])
