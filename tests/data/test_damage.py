"""Whatever happens to the bytes of a data set, reading it gives samples or says what is wrong."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_sets import CLASSES, VOTES, Drawn, draw_face

from facemotion import FacemotionError, read_data
from facemotion.data.prepare import prepare


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole")
    images = np.stack([draw_face(seed, 12) for seed in range(14)])
    drawn = Drawn(images, np.arange(14) % 7, ["Training"] * 7 + ["PublicTest"] * 7)
    source = drawn.write_csv(root / "csv" / "fer2013.csv")
    votes = [",".join(["Usage", *VOTES]), *(",".join([usage, "4,2,0,0,3,0,0,0,1,0"]) for usage in drawn.usage)]
    (root / "csv" / "fer2013new.csv").write_text("\n".join(votes), "utf-8")
    drawn.write_folders(root / "folders")
    for layout in ("npy", "pack"):
        prepare(read_data(source), root / layout, layout=layout)
        (root / layout / "prepare.jsonl").unlink()
    drawn.write_folders(root / "table", splits=False)
    rows = [f"{CLASSES[target]}/{at:03d}.png,{CLASSES[target]},{at}" for at, target in enumerate(drawn.targets)]
    (root / "table" / "faces.csv").write_text("\n".join(["path,label,site", *rows]), "utf-8")
    return root


def cut(data: bytearray, draw: random.Random) -> None:
    del data[draw.randrange(len(data)) :]


def overwrite(data: bytearray, draw: random.Random) -> None:
    for _ in range(draw.randrange(1, 6)):
        data[draw.randrange(len(data))] = draw.randrange(256)


def overwrite_the_beginning(data: bytearray, draw: random.Random) -> None:
    for _ in range(3):
        data[draw.randrange(min(len(data), 200))] = draw.randrange(256)


def leave_out(data: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(data))
    del data[at : at + draw.randrange(50)]


def put_in(data: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(data))
    data[at:at] = bytes(draw.choice(b'",\n\r\0;0') for _ in range(draw.randrange(1, 5)))


@pytest.mark.parametrize("damage", [cut, overwrite, overwrite_the_beginning, leave_out, put_in])
@pytest.mark.parametrize("layout", ["csv", "folders", "npy", "pack", "table"])
def test_damage_is_told_never_a_crash(
    layouts: Path, tmp_path: Path, layout: str, damage: Callable[[bytearray, random.Random], None]
) -> None:
    draw = random.Random(f"{layout} {damage.__name__}")
    source = tmp_path / "faces.csv" if layout == "table" else tmp_path
    shutil.copytree(layouts / layout, tmp_path, dirs_exist_ok=True)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    rule = "soft" if layout == "csv" else None
    for _ in range(25):
        file = draw.choice(files)
        whole = file.read_bytes()
        data = bytearray(whole)
        damage(data, draw)
        file.write_bytes(data)
        for skip_bad in (False, True):
            try:
                samples = read_data(
                    source, format="csv" if layout == "table" else None, label_rule=rule, skip_bad=skip_bad
                )
                for at in range(len(samples)):
                    samples.read(at)
            except FacemotionError as error:
                assert str(error)
        file.write_bytes(whole)
