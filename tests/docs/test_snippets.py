"""Every Python block of the documentation runs, page by page, in a folder that has what the pages speak of."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clips import across, write_clip
from hub_server import Hub
from pages import PAGES, ROOT, Block, blocks, commands, name
from PIL import Image
from small_sets import CLASSES, VOTES, draw_face

from facemotion.cli.main import cli

USAGES = {"Training": 6, "PublicTest": 3, "PrivateTest": 3}
# the commands of these are run too, in their places, and what follows one as text is what it prints
RUN = ("README.md", "docs/quickstart.md", "docs/export.md")
WITH_PYTHON = [page for page in PAGES if any(block.language == "python" for block in blocks(page))]
# a cluster, 32 processors and graphics cards: tests/scale runs what runs on one machine
CLUSTER = "docs/guides/scale.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: np.ndarray, astronaut_path: Path) -> Path:
    """The folder that somebody stands in who reads along."""
    shutil.copytree(astronaut_path.parent, tmp_path / "examples" / "images")
    for file in ("party.jpg", "a.jpg", "b.jpg", "photos/happy/1.jpg", "photos/sad/2.jpg"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(astronaut_path, tmp_path / file)
    (tmp_path / "broken.jpg").write_text("not a picture")
    write_clip(tmp_path / "party.mp4", astronaut, [across(60, 40, 5)], 0.6, size=(320, 240))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_faces(folder: Path, classes: tuple[str, ...], count: int, *, alike: bool = False) -> None:
    """Class folders, and a table beside them; alike: no network can tell the classes, so that there are mistakes."""
    rows = []
    for number in range(count * len(classes)):
        label = classes[number % len(classes)]
        file = folder / label / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        face = draw_face(number)
        Image.fromarray(face if alike else np.rot90(face, number % len(classes))).save(file)
        rows.append(
            [f"{folder.name}/{label}/{number}.png", label, ("young", "old")[number % 3 > 0], ("a", "b")[number % 2]]
        )
    with folder.with_name("labels.csv").open("w", newline="") as table:
        csv.writer(table).writerows([["path", "label", "age", "site"], *rows])


def write_fer2013(folder: Path) -> None:
    """The challenge's file with the votes beside it and a table of groups, of drawn faces."""
    usages = [usage for usage, count in USAGES.items() for _ in range(count * len(CLASSES))]
    with (folder / "fer2013.csv").open("w", newline="") as faces:
        table = csv.writer(faces)
        table.writerow(["emotion", "pixels", "Usage"])
        for number, usage in enumerate(usages):
            table.writerow([number % len(CLASSES), " ".join(map(str, draw_face(number).ravel())), usage])
    with (folder / "fer2013new.csv").open("w", newline="") as plus:
        votes = csv.writer(plus)
        votes.writerow(["Usage", "Image name", *VOTES])
        for number, usage in enumerate(usages):
            shares = [9 * (name == FER_PLUS[CLASSES[number % len(CLASSES)]]) for name in VOTES]
            votes.writerow([usage, f"fer{number:07d}.png", *shares])
    groups = [[number, ("young", "old")[number % 2]] for number in range(len(usages))]
    with (folder / "groups.csv").open("w", newline="") as table_of_groups:
        csv.writer(table_of_groups).writerows([["row", "age"], *groups])


FER_PLUS = dict(zip(CLASSES, ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"), strict=True))


def write_own_weights(folder: Path, *places: str) -> None:
    shipped = ROOT / "src" / "facemotion" / "weights" / "files" / "fast-8class"
    for place in places:
        shutil.copytree(shipped, folder / place)


# what single pages speak of besides
NEEDS: dict[str, Callable[[Path], object]] = {
    "README.md": lambda folder: (
        write_faces(folder / "faces", ("calm", "bored"), 12),
        write_faces(folder / "others", ("calm", "bored"), 4),
    ),
    "docs/quickstart.md": lambda folder: write_faces(folder / "faces", ("calm", "bored"), 12),
    "docs/guides/own-faces.md": lambda folder: write_faces(folder / "faces", ("calm", "bored"), 15, alike=True),
    "docs/data.md": lambda folder: (write_fer2013(folder), write_faces(folder / "faces", ("happy", "sad"), 8)),
    "docs/train.md": write_fer2013,
    "docs/coming-from/five-emotions.md": write_fer2013,
    "docs/weights.md": lambda folder: write_own_weights(folder, "runs/best"),
    "docs/evaluate.md": lambda folder: (
        write_fer2013(folder),
        write_faces(folder / "faces", ("happy", "sad"), 8),
        write_own_weights(folder, "runs/fast/best", "runs/a/best", "runs/b/best"),
    ),
}
# and names that it introduces in words
GIVEN = {
    "docs/weights.md": {
        "crops": np.stack([draw_face(number, 44) for number in range(16)])[..., None],
        "labels": np.arange(16) % 8,
    }
}


# huggingface_hub hands its HTTP client a file in a way that the client no longer likes
@pytest.mark.filterwarnings(r"ignore:Use 'content=<\.\.\.>' to upload raw bytes/text content:DeprecationWarning:httpx")
@pytest.mark.parametrize("page", [page for page in WITH_PYTHON if name(page) != CLUSTER], ids=name)
def test_the_page_runs(page: Path, folder: Path, hub: Hub) -> None:
    prepare = NEEDS.get(name(page))
    if prepare:
        prepare(folder)
    names: dict[str, object] = {"__name__": "page", **GIVEN.get(name(page), {})}
    found = blocks(page)
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block.language == "python":
            # empty lines before it, so that a traceback names the line of the page
            exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), names)
        elif name(page) in RUN:
            printed = run(block)
            if following and following.language == "text":
                assert without_numbers(printed) == without_numbers(following.text)
    assert any(block.language == "python" for block in found)


def test_the_page_on_clusters_is_python() -> None:
    python = [block.text for block in blocks(ROOT / CLUSTER) if block.language == "python"]
    for text in python:
        compile(text, CLUSTER, "exec")
    assert len(python) > 3


def run(block: Block) -> str:
    """What the commands of a block print; a camera is nowhere to be had, and a doctor looks at more than this."""
    printed = io.StringIO()
    for arguments in commands(block):
        if arguments[0] not in ("webcam", "doctor"):
            with contextlib.redirect_stdout(printed):
                assert not cli.main(arguments, standalone_mode=False), arguments
    return printed.getvalue()


def without_numbers(text: str) -> list[str]:
    """Its words: figures differ with processors and weights, by a digit or a pixel."""
    return re.sub(r"\d+([.,]\d+)*", "0", text).split()
