from __future__ import annotations

import pickle

import numpy as np
import pytest
from small_sets import Drawn, Export

from facemotion import DataError, InputSpec, UnknownNameError, read_data
from facemotion.crops import cut
from facemotion.data.samples import Samples
from facemotion.images import read_image
from facemotion.results import Box, Face

RGB = (0.5, 0.5, 0.5)


@pytest.fixture
def samples(drawn: Drawn) -> Samples:
    columns = {"site": [at % 3 for at in range(28)]}
    return Samples.from_arrays(drawn.images, drawn.targets, "fer7", splits=drawn.usage, columns=columns)


def test_a_split_is_found_by_its_own_name_and_by_what_it_is_usually_called(samples: Samples) -> None:
    for name in ("Training", "training", "train"):
        assert len(samples.select(name)) == 14
    for name in ("PublicTest", "val", "validation"):
        assert set(samples.select(name).splits) == {"PublicTest"}
    assert set(samples.select("test").splits) == {"PrivateTest"}
    with pytest.raises(UnknownNameError, match="did you mean 'PublicTest'"):
        samples.select("PublikTest")


def test_a_split_s_exact_name_comes_first(samples: Samples) -> None:
    several = samples.with_splits(["train"] * 7 + ["Train"] * 7 + ["TRAIN"] * 14)
    assert [several.find_split(name) for name in ("train", "Train", "TRAIN")] == ["train", "Train", "TRAIN"]


def test_several_splits_are_selected_at_once(samples: Samples) -> None:
    both = samples.select("PrivateTest/val")
    assert set(both.splits) == {"PublicTest", "PrivateTest"}
    assert len(both) == len(samples) - len(samples.select("train"))
    with pytest.raises(UnknownNameError, match="PublikTest"):
        samples.select("PublikTest/test")
    odd = samples.with_splits(["a/b"] * 14 + ["a"] * 7 + ["b"] * 7)
    assert len(odd.select("a/b")) == 14


def test_a_subset_keeps_everything_of_its_samples(samples: Samples, drawn: Drawn) -> None:
    part = samples.subset(np.array([20, 3, 5])).subset([2, 0])
    np.testing.assert_array_equal(part.read(0), drawn.images[5])
    np.testing.assert_array_equal(part.read(1), drawn.images[20])
    assert [part.label(0), part.label(1)] == ["surprise", "neutral"]
    assert part.columns["site"].tolist() == ["2", "2"]
    assert part.place(1) == "arrays in memory: row 20"
    assert len(samples.subset(samples.columns["site"] == "1")) == 9


def test_to_restrict_leaves_out_labels_and_numbers_the_rest_anew(samples: Samples) -> None:
    five = samples.restrict("basic5")
    assert five.counts() == {"angry": 4, "happy": 4, "neutral": 4, "sad": 4, "surprise": 4}
    assert [five.label(at) for at in range(5)] == ["angry", "happy", "sad", "surprise", "neutral"]
    with pytest.raises(DataError, match="unknown class 'disgust'"):
        read_data(samples, labels="basic5")
    assert read_data(samples, labels="ferplus8").label(5) == "surprise"


def test_to_restrict_shares_votes_among_the_labels_that_are_left(samples: Samples) -> None:
    soft = np.tile(np.float32([0.5, 0.2, 0, 0.3, 0, 0, 0]), (28, 1))
    five = Samples(**vars(samples) | {"soft": soft}).restrict("basic5")
    assert five.soft is not None
    np.testing.assert_allclose(five.soft[0], [0.625, 0.375, 0, 0, 0], rtol=1e-6)


def test_joined_sets_give_the_pictures_of_both(samples: Samples, drawn: Drawn) -> None:
    joined = Samples.concat([samples.select("test"), samples.select("train")])
    wanted = np.concatenate([drawn.images[21:], drawn.images[:14]])
    spec = InputSpec()
    np.testing.assert_array_equal(joined.crops(spec)[..., 0], wanted)
    np.testing.assert_array_equal(joined.crops(spec, [20, 0, 7])[..., 0], wanted[[20, 0, 7]])
    np.testing.assert_array_equal(np.stack([joined.read(at) for at in range(21)]), wanted)
    assert joined.split_counts() == {"PrivateTest": 7, "Training": 14}
    with pytest.raises(DataError, match="sets with other labels"):
        Samples.concat([samples, samples.restrict("basic5")])


@pytest.mark.parametrize("first", ["votes", "own"])
def test_shares_of_votes_are_kept_beside_a_set_without_them(samples: Samples, first: str) -> None:
    soft = np.tile(np.float32([0.5, 0.2, 0, 0.3, 0, 0, 0]), (14, 1))
    votes = Samples(**vars(samples.select("train")) | {"soft": soft, "label_rule": "soft"})
    parts = [votes, samples.select("test")]
    joined = Samples.concat(parts if first == "votes" else parts[::-1])
    wanted = [soft, np.eye(7)[samples.select("test").targets]]
    assert joined.soft is not None and joined.label_rule is None
    np.testing.assert_array_equal(joined.soft, np.concatenate(wanted if first == "votes" else wanted[::-1]))


def test_crops_are_those_of_inference(samples: Samples, drawn: Drawn) -> None:
    spec = InputSpec(size=64, colour="rgb", mean=RGB, std=RGB)
    face = Face(Box(0, 0, 48, 48), 1.0)
    for at in (0, 9):
        np.testing.assert_array_equal(samples.crops(spec, [at])[0], cut(read_image(drawn.images[at]), [face], spec)[0])


def test_copies_are_one_group_in_grey_and_in_equal_channels(drawn: Drawn) -> None:
    grey = Samples.from_arrays(drawn.images[[0, 1, 0]], [0, 1, 2], "fer7")
    assert grey.groups[0] == grey.groups[2] != grey.groups[1]
    rgb = Samples.from_arrays(np.repeat(drawn.images[[1, 0], :, :, None], 3, axis=3), [1, 0], "fer7")
    np.testing.assert_array_equal(rgb.digests, grey.digests[[1, 0]])
    # the same bytes in another shape are another picture
    wide = Samples.from_arrays(drawn.images[:1].reshape(1, 24, 96), [0], "fer7")
    assert wide.digests[0] != grey.digests[0]


def test_a_fingerprint_tells_pixels_labels_and_order_apart(samples: Samples, drawn: Drawn) -> None:
    images = drawn.images.copy()
    images[3, 0, 0] ^= 1
    other = Samples.from_arrays(images, drawn.targets, "fer7")
    swapped = samples.subset([1, 0, *range(2, 28)])
    relabelled = Samples.from_arrays(drawn.images, (drawn.targets + 1) % 7, "fer7")
    named = read_data(samples, labels=["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "other"])
    assert len({each.fingerprint for each in (samples, other, swapped, relabelled, named)}) == 5
    _ = samples.digests
    assert samples.subset(np.arange(28)).fingerprint == samples.fingerprint


def test_samples_travel_to_other_processes(samples: Samples, drawn: Drawn) -> None:
    copy = pickle.loads(pickle.dumps(samples))
    np.testing.assert_array_equal(copy.read(27), drawn.images[27])
    assert copy.fingerprint == samples.fingerprint


def test_what_does_not_fit_together_is_refused(drawn: Drawn) -> None:
    with pytest.raises(DataError, match=r"wrong targets.*expected 0 to 6, got 0 to 7"):
        Samples.from_arrays(drawn.images, np.arange(28) % 8, "fer7")
    with pytest.raises(DataError, match="expected 28 of them, got 27"):
        Samples.from_arrays(drawn.images, drawn.targets[1:], "fer7")
    with pytest.raises(DataError, match=r"got float64 of shape \(28, 48, 48\)"):
        Samples.from_arrays(drawn.images / 255, drawn.targets, "fer7")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(DataError, match=r"got int64 of shape \(1, 1\)"):
        Samples.from_arrays([[1]], [0], "fer7")  # type: ignore[arg-type]  # wrong on purpose
    for targets, said in (
        (drawn.targets * 0.9, "expected a whole number for each face, got 0.9"),
        (np.where(drawn.targets, drawn.targets, np.nan), "got nan"),
        (np.eye(7)[drawn.targets], r"got float64 of shape \(28, 7\)"),
        (["happy"] * 28, "got <U5"),
    ):
        with pytest.raises(DataError, match=f"wrong targets.*{said}"):
            Samples.from_arrays(drawn.images, targets, "fer7")
    assert Samples.from_arrays(drawn.images, drawn.targets * 1.0, "fer7").targets.tolist() == drawn.targets.tolist()
    with pytest.raises(DataError, match="two columns of one name: expected each name once, got 'age'"):
        Samples.from_arrays(drawn.images, drawn.targets, "fer7", columns={"Age": range(28), "age": range(28)})
    with pytest.raises(DataError, match="nothing to join"):
        Samples.concat([])


@pytest.mark.parametrize("targets", [[2.0, 0.0, 1.0], np.array([2, 0, 1], np.uint8)])
def test_whole_numbers_of_any_kind_are_targets(drawn: Drawn, targets: object) -> None:
    assert Samples.from_arrays(drawn.images[:3], targets, "fer7").targets.tolist() == [2, 0, 1]  # type: ignore[arg-type]


@pytest.mark.parametrize("row", [[5, 2, 0, 3, 0, 0, 0], [1.2, -0.2, 0, 0, 0, 0, 0], [0.5, float("nan"), 0, 0, 0, 0, 0]])
def test_shares_sum_to_1(samples: Samples, row: list[float]) -> None:
    soft = np.tile(np.float32([0.5, 0.2, 0, 0.3, 0, 0, 0]), (28, 1))
    soft[20] = row
    with pytest.raises(DataError, match=r"wrong soft: expected shares that sum to 1 a row, .* in row 20"):
        Samples(**vars(samples) | {"soft": soft})


def test_what_is_missing_in_a_column_is_no_value(drawn: Drawn) -> None:
    ages = [30, None, float("nan"), np.float32("nan"), np.datetime64("NaT"), "nan", np.int64(5)]
    samples = Samples.from_arrays(drawn.images[:7], [0] * 7, "fer7", columns={"age": ages})
    assert samples.columns["age"].tolist() == ["30", "", "", "", "", "nan", "5"]


def test_pictures_are_read_when_asked_for_not_before(fer_part: Export) -> None:
    samples = read_data(fer_part.folder, format="folders", split="train")
    assert samples.grey
    assert samples.sizes.tolist() == [[48, 48]] * 150
    (moved := fer_part.folder.with_name("moved")).unlink(missing_ok=True)
    fer_part.folder.rename(moved)
    try:
        with pytest.raises(DataError, match="no such file"):
            samples.read(0)
    finally:
        moved.rename(fer_part.folder)
