"""The paper's figures of single and sequential edits, a picture a method: python
experiments/decurved/sequential_figure.py gan=sngan_mnist

Takes the pictures that the evaluation made (the same latents for all methods) to docs/results/decurved/, at most 300 kB
each.
"""

import io

from PIL import Image
from study import ROOT, options, results

LIMIT = 300_000


def reduced(content: bytes) -> bytes:
    """The picture, smaller until its file is."""
    picture, scale = Image.open(io.BytesIO(content)).convert("RGB"), 1.0
    while len(content) > LIMIT:
        scale *= 0.9
        stream = io.BytesIO()
        size = [round(scale * side) for side in picture.size]
        picture.resize(size, Image.Resampling.LANCZOS).quantize(256).save(stream, "PNG", optimize=True)
        content = stream.getvalue()
    return content


def main() -> None:
    gan = options()[0]["gan"]
    target = ROOT / "docs" / "results" / "decurved"
    target.mkdir(parents=True, exist_ok=True)
    for label, runs in results().items():
        for source, name in (("sequences", "sequence"), ("strips", "strips")):
            file = target / f"{gan}_{name}_{label.replace(', ', '-').replace(' ', '-')}.png"
            file.write_bytes(reduced((runs[0]["folder"] / "pictures" / f"{source}.png").read_bytes()))
            print(file)


if __name__ == "__main__":
    main()
