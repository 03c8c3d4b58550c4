"""The installed package works without the checkout."""

import os
import subprocess
import sys
import zipfile

from latent_lab.installation import CONF


def test_the_wheel_holds_what_it_needs(tmp_path):
    build = (
        f"import os; os.chdir({str(CONF.parent)!r}); from hatchling.build import build_wheel; "
        f"print(build_wheel({str(tmp_path)!r}))"
    )
    subprocess.run([sys.executable, "-c", build], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.stat().st_size < 5_000_000
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    assert {
        "latent_lab/conf/train.yaml",
        "latent_lab/py.typed",
        "latent_lab/conf/gan/sngan_mnist.yaml",
        "latent_lab/figures/templates/report.html",
        "latent_lab/gans/weights/sngan_mnist.safetensors",
    } <= names
    command = [sys.executable, "-m", "latent_lab.train", "--cfg", "job", "method=linear"]
    shown = subprocess.run(
        command,
        cwd=tmp_path / "site",
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "latent_lab.paths.linear.LinearPaths" in shown.stdout
