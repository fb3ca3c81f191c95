"""What is made from elsewhere: the table of weights, the picture, the cards and the changelog."""

from __future__ import annotations

import json
from pathlib import Path

import hooks
import numpy as np
from pages import PAGES, ROOT
from PIL import Image

from facemotion import list_weights


def test_the_readme_has_the_figures_of_the_catalogue() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert hooks.with_table(readme) == readme, "run: python docs/hooks.py"
    for info in list_weights("emotion"):
        assert f"`{info.name}`" in hooks.weights_table()
        assert f"{info.metrics['accuracy']:.1%} of {info.metrics['data']}" in hooks.weights_table()


def test_the_picture_is_what_the_default_network_says_of_it_today() -> None:
    kept = np.array(Image.open(ROOT / "docs" / "images" / "astronaut.jpg"))
    drawn = hooks.draw_picture()
    assert kept.shape == drawn.shape
    # JPEG changes pixels by a few; another label, or a box elsewhere, by much
    different = np.abs(kept.astype(int) - drawn).max(axis=2) > 80
    assert different.mean() < 0.004, "run: python docs/hooks.py"
    assert (ROOT / "docs" / "images" / "astronaut.jpg").stat().st_size < 100_000


def test_the_report_that_is_shown_is_that_of_the_default_network() -> None:
    shown = (ROOT / "docs" / "evaluate.md").read_text("utf-8").partition("```text")[2].partition("```")[0]
    [default] = [info for info in list_weights("emotion") if info.name == "fast-8class"]
    assert default.path is not None
    card = (default.path / "README.md").read_text("utf-8").replace("|", " ").split()
    told = [line.replace(":", " ", 1).split() for line in shown.splitlines() if any(each.isdigit() for each in line)]
    compared = [line for line in told if line[0] not in ("data", "views", "precision")]
    assert len(compared) == 7, "weights, two classes, faces, accuracy, top-2, calibration"
    for line in compared:
        assert any(card[start : start + len(line)] == line for start in range(len(card))), line


def test_the_site_has_every_card_and_the_changelog(tmp_path: Path) -> None:
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path / "site"), plugins=["search"])
    build(config)
    for info in list_weights():
        page = tmp_path / "site" / "cards" / info.name / "index.html"
        assert page.exists() == (info.path is not None)
    assert "Keep a Changelog" in (tmp_path / "site" / "changelog" / "index.html").read_text("utf-8")
    found = json.loads((tmp_path / "site" / "search" / "search_index.json").read_text("utf-8"))["docs"]
    pages = {each["location"].partition("#")[0] for each in found}
    assert len(pages) >= len(PAGES)
