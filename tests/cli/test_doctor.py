from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import facemotion
from facemotion import __version__


def doctor(prelude: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """A real run; `prelude` breaks something in the process first."""
    code = f"import sys\n{prelude}\nfrom facemotion.cli.main import main\nmain(['doctor'])"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **environment}
    )


def test_a_healthy_machine() -> None:
    done = doctor()
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for line in (f"facemotion         {__version__}", f"torch              {version('torch')}", "Everything works."):
        assert line in done.stdout
    for title in ("Versions", "Processors", "OpenCV", "Detectors", "Backbones", "Extras"):
        assert f"{title}\n" in done.stdout
    assert "no display (DISPLAY is not set)" in done.stdout or "headless build" in done.stdout
    assert "can be opened" in doctor(DISPLAY=":0").stdout or "headless build" in done.stdout


def test_an_opencv_that_lacks_a_system_library_names_the_headless_build() -> None:
    # a finder that fails as the loader does where libGL is missing
    broken = """
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
sys.meta_path.insert(0, Finder())
"""
    done = doctor(broken)
    assert done.returncode == 1
    assert "! OpenCV can't be loaded (libGL.so.1: cannot open shared object file" in done.stdout
    assert (
        "mend it: pip uninstall -y opencv-python && pip install --force-reinstall opencv-python-headless" in done.stdout
    )
    assert "Extras\n" in done.stdout, "the other checks go on"


def test_a_missing_extra_is_shown_with_its_line_and_is_no_failure() -> None:
    hidden = """
import importlib.util as util
find = util.find_spec
util.find_spec = lambda name, *rest: None if name == "tensorboard" else find(name, *rest)
"""
    done = doctor(hidden)
    assert done.returncode == 0
    assert "train              without tensorboard: pip install 'facemotion[train]'" in done.stdout


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The package elsewhere, to be broken there."""
    package = Path(facemotion.__file__).parent
    large = shutil.ignore_patterns("vgg16-*class", "resnet50-5class", "__pycache__")
    shutil.copytree(package, tmp_path / "facemotion", ignore=large)
    for name in ("vgg16-7class", "vgg16-5class", "resnet50-5class"):
        (tmp_path / "facemotion" / "weights" / "files" / name).symlink_to(package / "weights" / "files" / name)
    return tmp_path


@pytest.mark.parametrize("file", ["fast-8class/model.safetensors", "mini/mini.onnx"])
def test_damaged_files_of_the_package_are_found(copied: Path, file: str) -> None:
    path = copied / "facemotion" / "weights" / "files" / file
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    done = doctor(PYTHONPATH=str(copied))
    assert done.returncode == 1
    assert done.stderr == ""
    assert f"! {file.partition('/')[0]} is damaged: " in done.stdout
    assert done.stdout.endswith("mend it: reinstall facemotion\n")
    assert "Extras\n" in done.stdout


def test_weights_that_the_package_lost_are_missed(copied: Path) -> None:
    shutil.rmtree(copied / "facemotion" / "weights" / "files" / "fast-8class")
    done = doctor(PYTHONPATH=str(copied))
    assert done.returncode == 1
    assert "! fast-8class is missing: " in done.stdout
    assert done.stdout.endswith("mend it: reinstall facemotion\n")
