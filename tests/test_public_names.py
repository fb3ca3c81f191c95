"""`__all__`, the lazy table and what type checkers see are one list; and importing it loads nothing heavy."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import facemotion

HEAVY = ["torch", "torchvision", "cv2", "sklearn", "numpy", "PIL", "huggingface_hub"]


def test_every_public_name_is_there_and_has_its_own_name() -> None:
    for name in facemotion.__all__:
        value = getattr(facemotion, name)
        assert name == "__version__" or value.__name__ == name


def test_the_three_lists_agree() -> None:
    tree = ast.parse(Path(facemotion.__file__).read_text("utf-8"))
    eager, mirror = {"__version__"}, {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "facemotion.errors":
            eager |= {alias.name for alias in node.names}
        if isinstance(node, ast.If):
            for each in node.body:
                assert isinstance(each, ast.ImportFrom)
                mirror |= {alias.name: each.module for alias in each.names}
    assert mirror == facemotion._HOME_OF
    assert sorted(facemotion.__all__) == sorted(eager | set(mirror))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'emotion'"):
        facemotion.emotion  # noqa: B018 - reading it is the test


def test_dir_lists_the_public_names() -> None:
    assert set(facemotion.__all__) <= set(dir(facemotion))


@pytest.mark.parametrize("name", ["crops.cut", "drawing.draw", "evaluation.compare", "images.from_bgr", "testing"])
def test_what_the_documentation_writes_out_is_there_after_a_plain_import(name: str) -> None:
    subprocess.run([sys.executable, "-c", f"import facemotion; facemotion.{name}"], check=True)
    assert name.split(".")[0] in dir(facemotion)


@pytest.mark.parametrize("code", ["import facemotion", "from facemotion.cli.main import _run; _run(['--help'])"])
def test_importing_and_help_load_nothing_heavy(code: str) -> None:
    probe = f"{code}\nimport sys, json\nprint(json.dumps([n for n in {HEAVY} if n in sys.modules]), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert json.loads(done.stderr.splitlines()[-1]) == []


def test_importing_takes_less_than_60_ms() -> None:
    def once() -> float:
        command = [sys.executable, "-X", "importtime", "-c", "import facemotion"]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
        return next(int(line.split("|")[1]) for line in lines if line.endswith("| facemotion")) / 1000

    assert min(once() for _ in range(5)) < 60


def test_help_takes_less_than_200_ms() -> None:
    def once() -> float:
        start = time.perf_counter()
        command = [sys.executable, "-m", "facemotion", "--help"]
        subprocess.run(command, capture_output=True, check=True, env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""})
        return time.perf_counter() - start

    assert min(once() for _ in range(5)) < 0.2
