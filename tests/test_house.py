"""The rules of the house that no linter knows: sizes, names, and a version that the changelog tells of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import facemotion

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
VAGUE = {"util", "utils", "helper", "helpers", "common", "misc"}


def test_there_are_sources_to_judge() -> None:
    assert len(SOURCES) > 10


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_source_file_is_short_and_well_named(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 300
    assert path.stem not in VAGUE
    assert path.parent.name not in VAGUE


def test_the_changelog_tells_of_this_version() -> None:
    versions = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert versions[0] == facemotion.__version__


def test_no_picture_is_kept_but_the_portrait_and_what_we_drew_on_it() -> None:
    pictures = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
    found = [path.relative_to(ROOT).as_posix() for path in _tracked() if path.suffix.lower() in pictures]
    assert found == ["docs/images/astronaut.jpg", "examples/images/astronaut.jpg"]


def _tracked() -> list[Path]:
    folders = ["benchmarks", "docs", "examples", "src", "tests"]
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]
