from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_sets import Drawn, Export

from facemotion import DataError, InputSpec, read_data
from facemotion.data.copies import copy_groups
from facemotion.data.samples import Samples
from facemotion.data.splits import apply_split, split_samples, write_split


def numbered(targets: list[int]) -> Samples:
    """Samples whose pictures all differ."""
    images = np.arange(len(targets), dtype=np.uint16).view(np.uint8).reshape(-1, 1, 2)
    return Samples.from_arrays(images, targets, "fer7")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 25)), min_size=40, max_size=160),
    st.sampled_from([0.1, 0.2, 0.5]),
    st.integers(0, 9),
)
def test_no_group_is_on_both_sides_and_the_share_holds(rows: list[tuple[int, int]], share: float, seed: int) -> None:
    targets, groups = map(np.array, zip(*rows, strict=True))
    counts = np.bincount(targets, minlength=7)
    wanted = np.maximum(np.rint(counts * share), np.minimum(counts // 2, 1))
    try:
        split = split_samples(numbered(targets.tolist()), share, seed, groups=groups)
        aside = split.splits == "val"
    except DataError:
        aside = np.zeros(len(targets), bool)
    got = np.bincount(targets[aside], minlength=7)
    assert len(set(zip(groups, aside, strict=True))) == len(set(groups))
    assert (got < np.maximum(counts, 1)).all(), "every class has a face to train on"
    # beyond the share only as far as it is nearer to it, and no group that is left would bring it nearer yet
    off = np.abs(wanted - got).sum()
    assert off <= wanted.sum()
    for group in set(groups[~aside]):
        more = got + np.bincount(targets[groups == group], minlength=7)
        assert np.abs(wanted - more).sum() >= off or (more >= counts)[more > got].any()


@pytest.mark.parametrize(("persons", "least", "most"), [(4, 40, 60), (5, 30, 50), (10, 30, 50)])
def test_a_few_persons_are_shared_out(persons: int, least: int, most: int) -> None:
    random = np.random.default_rng(persons)
    for seed in range(5):
        samples = numbered(random.integers(0, 7, 200).tolist())
        split = split_samples(samples, 0.2, seed, groups=random.permutation(200) % persons)
        assert least <= (split.splits == "val").sum() <= most


def test_a_path_is_read_and_nothing_is_told(drawn: Drawn, tmp_path: Path) -> None:
    root = drawn.write_folders(tmp_path, splits=False)
    divided = split_samples(str(root), 0.25)
    assert divided.split_counts() == {"train": 21, "val": 7}
    with pytest.raises(DataError, match="no usable face in it"):
        split_samples(divided.subset([]))


def test_groups_of_which_none_can_be_put_aside_are_told() -> None:
    targets = [0, 1] * 20
    with pytest.raises(DataError, match=r"no group could be put aside: expected more groups.*got 2 groups"):
        split_samples(numbered(targets), groups=[0] * 20 + [1] * 20)
    with pytest.raises(DataError, match="none of which has all of a class"):
        split_samples(numbered(targets), 0.5, groups=targets)


def test_copies_never_go_beyond_the_share() -> None:
    faces = np.random.default_rng(0).integers(0, 256, (20, 48, 48), np.uint8)
    # a fifth of a hundred are 20, so no two of these groups of 11 to 13 copies
    copies = np.repeat(np.arange(8), [11, 12, 13, 12, 11, 13, 14, 14])
    split = split_samples(Samples.from_arrays(faces[copies], [0] * 100, "fer7"))
    assert 11 <= (split.splits == "val").sum() <= 14


def test_a_class_is_shared_out_to_the_sample() -> None:
    targets = [0] * 50 + [1] * 10 + [2] * 2 + [3]
    split = split_samples(numbered(targets), groups=np.arange(63))
    assert split.select("val").counts() == dict(zip(split.labels, [10, 2, 1, 0, 0, 0, 0], strict=True))


def test_large_groups_go_to_both_sides_and_single_samples_fill_the_share() -> None:
    groups = [group for group in range(12) for _ in range(10)] + list(range(12, 52))
    large = []
    for seed in range(30):
        aside = split_samples(numbered([0] * 160), 0.2, seed, groups=groups).splits == "val"
        assert aside.sum() == 32
        large.append(aside[:120].sum() / 10)
    # a fifth of twelve, but for those that would have gone beyond the share
    assert 1.5 < np.mean(large) < 2.7


def test_a_picture_stays_on_its_side_in_other_company() -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2000, 8, 8), np.uint8)
    targets, others = random.integers(0, 7, (2, 2000))
    everything = Samples.from_arrays(images, targets, "fer7")
    side = dict(zip(everything.digests.tolist(), split_samples(everything, 0.1).splits, strict=True))
    five, half = everything.restrict("basic5"), everything.subset(np.arange(1000))
    relabelled = Samples.from_arrays(images, others, "fer7")
    for company, at_most in ((five, 0), (half, 0.04), (relabelled, 0.04)):
        split = split_samples(company, 0.1)
        moved = [side[digest] != now for digest, now in zip(split.digests.tolist(), split.splits, strict=True)]
        assert np.mean(moved) <= at_most


def test_the_seed_decides(drawn: Drawn) -> None:
    samples = Samples.from_arrays(drawn.images, drawn.targets, "fer7")
    first, again, other = (split_samples(samples, 0.25, seed).splits for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first == "val").sum() == 7


def test_copies_real_and_near_stay_together(fer_part: Export) -> None:
    samples = read_data(fer_part.path("fer2013"))
    # planted: exact copies, and copies that were dimmed
    images = samples.crops(InputSpec())[..., 0]
    near = images[:80] * 0.85 + 8
    more = np.concatenate([images, images[:80], near.round().astype(np.uint8)])
    planted = Samples.from_arrays(
        more, np.concatenate([samples.targets, samples.targets[:80], samples.targets[:80]]), "fer7"
    )
    groups = copy_groups(planted)
    exact_found = groups[450:530] == groups[:80]
    near_found = groups[530:] == groups[:80]
    assert exact_found.all()
    assert near_found.mean() > 0.9
    for seed in range(3):
        split = split_samples(planted, 0.2, seed)
        sides = split.splits
        assert not set(groups[sides == "val"]) & set(groups[sides == "train"])
        assert abs((sides == "val").mean() - 0.2) < 0.01


def test_a_split_is_written_down_and_read_back(drawn: Drawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(tmp_path))
    samples = Samples.from_arrays(drawn.images, drawn.targets, "fer7")
    split = split_samples(samples, 0.25, 3)
    path = tmp_path / "split.json"
    write_split(split, "~/split.json")
    np.testing.assert_array_equal(apply_split(samples, "~/split.json").splits, split.splits)
    again = apply_split(samples, path)
    np.testing.assert_array_equal(again.splits, split.splits)
    assert again.select("val").fingerprint == split.select("val").fingerprint
    with pytest.raises(DataError, match="a split of other data"):
        apply_split(samples.subset(np.arange(27)), path)
    with pytest.raises(DataError, match="a split of other data"):
        apply_split(samples.subset([1, 0, *range(2, 28)]), path)
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"fingerprint": None}), "utf-8")
    with pytest.raises(DataError, match="a split of other data"):
        apply_split(samples, path)
    path.write_text(json.dumps({"splits": ["train"]}), "utf-8")
    with pytest.raises(DataError, match="the split can't be read"):
        apply_split(samples, path)
    with pytest.raises(ValueError, match="share"):
        split_samples(samples, 1.0)
