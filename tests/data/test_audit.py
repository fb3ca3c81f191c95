from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_sets import Drawn, Export, export

from facemotion import DataError, InputSpec, read_data
from facemotion.data.audit import inspect
from facemotion.data.audit_text import describe
from facemotion.data.copies import has_copy_in, near_pairs
from facemotion.data.samples import Samples
from facemotion.data.sheets import bar_chart, contact_sheet


def recount(images: np.ndarray, labels: np.ndarray, usage: np.ndarray) -> dict[str, int]:
    """Exact copies, counted without our code."""
    groups = defaultdict(list)
    for at, image in enumerate(images):
        groups[image.tobytes()].append(at)
    return {
        "extra": sum(len(rows) - 1 for rows in groups.values()),
        "in_training": sum(sum(usage[rows] > 0) for rows in groups.values() if (usage[rows] == 0).any()),
        "disagree": sum(len(set(labels[rows])) > 1 for rows in groups.values()),
    }


def test_the_whole_of_fer2013_within_a_minute_and_to_the_byte(assets: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="processor time is measured as Unix does it")
    fer = export(assets, tmp_path / "fer")
    command = [sys.executable, "-m", "facemotion", "data", "inspect", str(fer.path("fer2013")), "--json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    audit = json.loads(done.stdout)
    exact = audit["copies"]["exact"]
    assert (
        {key: exact[key] for key in ("extra", "in_training", "disagree")}
        == recount(fer.images, fer.labels, fer.usage)
        == {"extra": 1855, "in_training": 568, "disagree": 57}
    )
    assert audit["copies"]["near"]["extra"] > exact["extra"]
    assert audit["total"] == 35887
    # processor time, of which another program takes nothing away; by the clock two cores need less
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 60

    samples = read_data(fer.path("fer2013"))
    np.testing.assert_array_equal(samples.crops(InputSpec())[..., 0], fer.images)
    np.testing.assert_array_equal(samples.targets, fer.labels)


def test_an_audit_of_a_part_counts_what_is_there(fer_part: Export) -> None:
    audit = inspect(read_data(fer_part.path("fer2013")))
    found = {key: getattr(audit.exact, key) for key in ("extra", "in_training", "disagree")}
    assert found == recount(fer_part.images, fer_part.labels, fer_part.usage)
    assert audit.counts["Training"]["happy"] == int(((fer_part.labels == 3) & (fer_part.usage == 0)).sum())
    assert audit.sizes == {"48 x 48": 450}
    assert audit.grey == 450


def test_a_path_is_read_and_nothing_is_told(drawn: Drawn, tmp_path: Path) -> None:
    root = drawn.write_folders(tmp_path)
    audit = inspect(str(root))
    assert len(audit.samples) == 28
    with pytest.raises(DataError, match="no usable face in it"):
        inspect(audit.samples.subset([]))
    for path in root.rglob("*.png"):
        path.write_bytes(path.read_bytes()[:400])
    audit = inspect(root, skip_bad=True)
    assert (len(audit.samples), len(audit.faults)) == (0, 28)
    assert "left out: 28" in describe(audit)


def test_planted_faults_are_found(drawn: Drawn, tmp_path: Path) -> None:
    root = drawn.write_folders(tmp_path)
    # an exact copy across splits under another label, a blank picture, and one that is damaged
    Image.fromarray(drawn.images[0]).save(root / "test" / "happy" / "copy.png")
    Image.new("L", (60, 50), 90).save(root / "train" / "sad" / "blank.png")
    damaged = root / "test" / "fear" / "016.png"
    damaged.write_bytes(damaged.read_bytes()[:400])
    samples = read_data(root)
    with pytest.raises(DataError, match=r"016\.png"):
        inspect(samples)
    audit = inspect(samples, skip_bad=True)
    assert len(audit.samples) == 29
    assert [Path(place).name for place in audit.blank] == ["blank.png"]
    assert len(audit.faults) == 1
    assert "016.png" in audit.faults[0]
    assert audit.exact.extra == audit.exact.disagree == audit.exact.in_training == 1
    assert audit.exact.across == {"test": {"train": 1}, "train": {"test": 1}}
    assert audit.sizes == {"48 x 48": 28, "60 x 50": 1}
    assert audit.imbalance == pytest.approx(5 / 3)
    text = describe(audit)
    for words in ("29 faces", "blank pictures: 1", "left out: 1", "disagree about the label: 1", "copy.png (happy)"):
        assert words in text
    json.dumps(audit.to_dict())


@pytest.mark.parametrize("change", ["jpeg", "brighter", "smaller"])
def test_near_copies_are_found_and_other_faces_are_not(fer_part: Export, change: str, tmp_path: Path) -> None:
    samples = read_data(fer_part.path("fer2013"))
    images = samples.crops(InputSpec())[..., 0]
    before = {tuple(pair) for pair in near_pairs(samples)}
    changed = []
    for at in range(100):
        image = Image.fromarray(images[at])
        if change == "jpeg":
            image.save(tmp_path / "a.jpg", quality=60)
            image = Image.open(tmp_path / "a.jpg")
        elif change == "brighter":
            image = image.point([min(round(value * 1.2 + 10), 255) for value in range(256)])
        else:
            image = image.resize((36, 36)).resize((48, 48))
        changed.append(np.asarray(image))
    both = Samples.from_arrays(np.concatenate([images, changed]), [0] * 550, "fer7")
    pairs = {tuple(pair) for pair in near_pairs(both)}
    expected = {(at, 450 + at) for at in range(100)}
    assert len(pairs & expected) >= 95
    # whatever else is paired has to be a copy that was there before, or its changed form
    families = {tuple(at if at < 450 else at - 450 for at in pair) for pair in pairs - expected}
    assert len({pair for pair in families if pair not in before and pair[::-1] not in before}) <= 2


def test_near_copies_are_the_same_however_many_are_compared_at_once(
    fer_part: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = fer_part.images[:60]
    both = Samples.from_arrays(np.concatenate([images, np.clip(images, 4, 250) - 3]), [0] * 120, "fer7")
    whole = near_pairs(both)
    assert len(whole) >= 55
    monkeypatch.setattr("facemotion.data.copies._HASHES_AT_ONCE", 120 * 7)
    monkeypatch.setattr("facemotion.data.copies._THUMBNAILS_AT_ONCE", 5)
    np.testing.assert_array_equal(near_pairs(both), whole)


def test_a_leak_is_found_across_layouts(drawn: Drawn, tmp_path: Path) -> None:
    train = read_data(drawn.write_folders(tmp_path / "train", splits=False))
    images = np.concatenate([255 - drawn.images[:5], drawn.images[10:13]])
    test = Samples.from_arrays(images, [0] * 8, "fer7")
    assert has_copy_in(test, train).tolist() == [False] * 5 + [True] * 3


def test_the_pictures_show_what_there_is(drawn: Drawn) -> None:
    samples = Samples.from_arrays(drawn.images, drawn.targets, "fer7", splits=drawn.usage)
    counts = {"Training": {"happy": 100, "sad": 50}, "PublicTest": {"happy": 10, "sad": 0}}
    chart = bar_chart(counts)
    # the first colour is that of Training: its bars are as long as the counts say
    blue = (chart == (0, 114, 178)).all(axis=2)[40:]
    lengths = sorted({int(row.sum()) for row in blue if row.any()})
    assert lengths[1] == pytest.approx(2 * lengths[0], abs=3)
    sheet = contact_sheet(samples, "all", columns=7)
    assert sheet.shape == (34 + 4 * 66 + 2, 7 * 66 + 2, 3)
    spec = InputSpec(size=64, colour="rgb", mean=(0.5,) * 3, std=(0.5,) * 3)
    np.testing.assert_array_equal(sheet[34 : 34 + 64, 2:66], samples.crops(spec, [0])[0])
