"""What a report writes: the same bytes each time, plain JSON, and pictures that can be read."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facemotion import Evaluator, FacemotionError, Report, Samples
from facemotion.evaluation.findings import Mistake
from facemotion.evaluation.plots import confusion_plot, mistakes_sheet, slices_plot

FIELDS = {
    *("weights", "data", "split", "label_rule", "chosen_on", "tta", "count", "top2", "leak", "slices", "accuracy"),
    *("accuracy_ci95", "macro_f1", "weighted_f1", "ece", "labels", "confusion", "per_class"),
}


@pytest.fixture(scope="module")
def report(stripes: Samples, knows_stripes: Path) -> Report:
    test = stripes.select("test")
    columns = {"site": np.array(["north", "south", "west"])[np.arange(240) // 80]}
    return Evaluator(knows_stripes, device="cpu").evaluate(
        dataclasses.replace(test, columns=columns), training_data=stripes, slices="site"
    )


def test_report_json_has_every_field_that_was_promised(report: Report, tmp_path: Path) -> None:
    written = report.save(tmp_path / "new" / "folder")
    assert sorted(path.name for path in written) == [
        *("confusion.png", "mistakes.png", "reliability.png", "report.json", "report.md", "slices.png")
    ]
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == sorted(p.name for p in written)
    found = json.loads((tmp_path / "new" / "folder" / "report.json").read_text())
    assert set(found) >= FIELDS
    assert found == json.loads(json.dumps(report.to_dict()))
    assert found["accuracy"] == pytest.approx(report.accuracy, abs=1e-6)
    assert np.array(found["confusion"]).sum() == found["count"] == 240
    for row, shares, label in zip(found["confusion"], found["confusion_shares"], found["labels"], strict=True):
        assert sum(row) == found["per_class"][label]["support"]
        assert shares == pytest.approx([count / sum(row) for count in row], abs=1e-6)
    assert found["slices"][0]["slices"][0]["value"] == "north"
    assert found["leak"]["exact"] == 0
    assert found["label_sets"]["rule"] == "same"


def test_a_p_that_is_very_small_is_not_told_as_none(stripes: Samples, knows_stripes: Path) -> None:
    test = stripes.select("test")
    right = Evaluator(knows_stripes, device="cpu").evaluate(test)
    answers = np.where(right.probabilities.argmax(axis=1) == right.truth, "right", "wrong")
    report = Evaluator(knows_stripes, device="cpu").evaluate(
        dataclasses.replace(test, columns={"answer": answers}), slices="answer"
    )
    assert report.slices is not None
    for told, one in zip(report.to_dict()["slices"][0]["slices"], report.slices[0].slices, strict=True):
        assert one.p is not None and 0 < one.p < 1e-6
        assert told["p"] == pytest.approx(one.p, rel=1e-5)
        assert told["p_corrected"] == pytest.approx(one.p_corrected, rel=1e-5)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are a Unix thing")
def test_a_report_that_can_not_be_written_leaves_the_one_before(report: Report, tmp_path: Path) -> None:
    import resource

    report.save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most[1]))  # as a full disk is
    try:
        with pytest.raises(FacemotionError, match="the report can't be written"):
            dataclasses.replace(report, data="others", slices=None).save(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_names_that_are_no_text_are_spelt_out(report: Report, tmp_path: Path) -> None:
    dataclasses.replace(report, data="caf\udce9").save(tmp_path)
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["data"] == "caf\udce9"
    assert "udce9" in (tmp_path / "report.md").read_text("utf-8")


def test_the_same_evaluation_writes_the_same_bytes(
    report: Report, stripes: Samples, knows_stripes: Path, tmp_path: Path
) -> None:
    columns = {"site": np.array(["north", "south", "west"])[np.arange(240) // 80]}
    again = Evaluator(knows_stripes, device="cpu").evaluate(
        dataclasses.replace(stripes.select("test"), columns=columns), training_data=stripes, slices="site"
    )
    for path, other in zip(report.save(tmp_path / "a"), again.save(tmp_path / "b"), strict=True):
        assert path.read_bytes() == other.read_bytes(), path.name


def test_pictures_are_pictures_with_something_in_them(report: Report, tmp_path: Path) -> None:
    for path in report.save(tmp_path):
        if path.suffix == ".png":
            grey = np.asarray(Image.open(path).convert("L"))
            assert min(grey.shape) > 150
            # ink and paper, and much that is neither
            assert grey.min() < 60 and grey.max() > 240 and grey.std() > 15


def test_a_dollar_sign_in_a_name_is_no_formula(report: Report, tmp_path: Path) -> None:
    assert report.slices is not None
    odd = dataclasses.replace(report.slices[0], column="$a_$b")
    named = dataclasses.replace(report, labels=("$x_$", "$", "fear"), slices=(odd,))
    shown = dataclasses.replace(named, per_class=dict(zip(named.labels, report.per_class.values(), strict=True)))
    assert len(shown.save(tmp_path)) == 6


def test_letters_that_the_plots_font_lacks_are_replaced_without_a_warning(report: Report, tmp_path: Path) -> None:
    assert report.slices is not None
    cities = [dataclasses.replace(each, value=f"東京{index}") for index, each in enumerate(report.slices[0].slices)]
    named = dataclasses.replace(
        report,
        labels=("喜び", "怒り", "müde"),
        slices=(dataclasses.replace(report.slices[0], column="都市", slices=tuple(cities)),),
        mistakes=tuple(dataclasses.replace(each, truth="喜び", said="怒り") for each in report.mistakes),
    )
    shown = dataclasses.replace(named, per_class=dict(zip(named.labels, report.per_class.values(), strict=True)))
    assert len(shown.save(tmp_path)) == 6
    counts = np.diag([10, 10, 10]) + 1
    assert confusion_plot(counts, ("喜び", "怒り", "müde")) == confusion_plot(counts, ("1 ??", "2 ??", "müde"))
    # what the font has stays
    cyrillic, greek = ("радость", "b", "c"), ("χαρά", "b", "c")
    assert len({confusion_plot(counts, labels) for labels in (cyrillic, greek, ("1 ???????", "b", "c"))}) == 3


def test_long_names_leave_room_for_the_plots_and_are_told_apart(report: Report) -> None:
    """matplotlib warns where nothing is left of a plot, and warnings are errors."""
    assert report.slices is not None
    [slicing, *_] = report.slices
    longs = [f"recorded in the laboratory, session {'W' * 200}, camera on the {side}" for side in ("left", "right")]
    seen: list[list[bytes]] = []
    for names in (longs, longs[::-1]):
        values = [dataclasses.replace(each, value=name) for each, name in zip(slicing.slices, names, strict=False)]
        pictures = [
            confusion_plot(np.diag([10, 10]) + 1, names),
            slices_plot([dataclasses.replace(slicing, column=names[0], slices=tuple(values))], 0.5),
        ]
        assert pictures not in seen, "the names can't be told apart"
        seen.append(pictures)
    with Image.open(io.BytesIO(confusion_plot(np.diag([10, 10]) + 1, longs))) as picture:
        assert picture.width < 1000


def test_the_confusion_matrix_is_darker_where_it_is_larger_also_in_grey(tmp_path: Path) -> None:
    (tmp_path / "c.png").write_bytes(confusion_plot(np.diag([10, 10, 10]) + 1, ("a", "b", "c")))
    grey = np.asarray(Image.open(tmp_path / "c.png").convert("L")).astype(int)
    # the cells' grounds: the commonest greys of the picture but for white
    values, counts = np.unique(grey[grey < 253], return_counts=True)
    two = np.sort(values[np.argsort(-counts)[:2]])
    assert two[1] - two[0] > 80


def test_without_matplotlib_the_rest_is_written_and_one_line_names_the_extra(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with caplog.at_level(logging.INFO):
        written = report.save(tmp_path)
    assert [path.name for path in written] == ["report.json", "report.md", "mistakes.png"]
    assert [record.getMessage() for record in caplog.records] == [
        "no plots without matplotlib: pip install 'facemotion[train]'"
    ]
    assert "confusion.png" not in (tmp_path / "report.md").read_text()


def test_no_picture_of_an_older_report_is_left(report: Report, tmp_path: Path) -> None:
    (tmp_path / "slices.png").write_bytes(b"somebody's own")
    assert report.slices
    dataclasses.replace(report, slices=None).save(tmp_path)
    assert (tmp_path / "slices.png").read_bytes() == b"somebody's own"
    report.save(tmp_path)
    dataclasses.replace(report, slices=None, mistakes=()).save(tmp_path)
    left = {"report.json", "report.md", "confusion.png", "reliability.png"}
    assert {each.name for each in tmp_path.iterdir()} == left


def test_files_of_others_are_not_written_over(report: Report, tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("my thesis")
    with pytest.raises(FacemotionError, match=r"holds report\.md, and no report of ours"):
        report.save(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["report.md"]


def test_markdown_tells_it_all_and_shows_the_pictures(report: Report, tmp_path: Path) -> None:
    report.save(tmp_path)
    text = (tmp_path / "report.md").read_text()
    for name in ("confusion.png", "reliability.png", "slices.png", "mistakes.png"):
        assert f"]({name})" in text
    for words in ("## Classes", "## Slices by site", "## Copies in the training data", "Wilson", "epoch chosen"):
        assert words in text
    # each line of a table has as many cells as its head
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if line.startswith("|---"):
            width = lines[index - 1].count("|")
            rows = [row for row in lines[index:] if row.startswith("|")][:3]
            assert all(row.count("|") == width for row in rows[:2])


def test_the_surest_mistakes_come_first_and_are_mistakes(report: Report) -> None:
    sure = [each.probability for each in report.mistakes]
    assert sure == sorted(sure, reverse=True)
    assert all(each.truth != each.said for each in report.mistakes)
    wrong = np.flatnonzero(report.probabilities.argmax(axis=1) != report.truth)
    assert len(report.mistakes) == min(len(wrong), 40) == len(report.worst)
    surest = wrong[report.probabilities[wrong].max(axis=1).argmax()]
    assert report.mistakes[0].place == report.places[surest]


def test_the_sheet_of_mistakes_shows_the_faces_with_words_below() -> None:
    faces = np.random.default_rng(0).integers(0, 256, (10, 96, 96, 3), np.uint8)
    mistakes = [Mistake(str(index), "contempt", "surprise", 0.987) for index in range(9)]
    mistakes.append(Mistake("9", "tired and very bored", "awake", 0.5))
    sheet = np.asarray(Image.open(io.BytesIO(mistakes_sheet(faces, mistakes))))
    # eight in a row: each 96 pixels, two lines of 16 below it, gaps of 2, under a title of 34
    assert sheet.shape == (34 + 2 * 130 + 2, 8 * 98 + 2, 3)
    np.testing.assert_array_equal(sheet[34 : 34 + 96, 2:98], faces[0])
    np.testing.assert_array_equal(sheet[164 : 164 + 96, 100:196], faces[9])
    words = sheet[34 + 96 : 34 + 128, 2:98]
    assert words.min() < 60
    # words that are longer than a face is wide are cut
    assert (sheet[34 + 96 : 34 + 128, 98:100] == 255).all()
    assert (sheet[164 + 96 : 164 + 128, 197:] == 255).all()
    assert (sheet[164 + 96 : 164 + 112, 150:196] < 60).any()


def test_mistakes_in_letters_that_the_font_lacks_are_told_apart() -> None:
    faces = np.random.default_rng(0).integers(0, 256, (1, 96, 96, 3), np.uint8)
    labels = ("喜び", "怒り", "müde")

    def sheet(truth: str, said: str) -> bytes:
        return mistakes_sheet(faces, [Mistake("0", truth, said, 0.9)], labels)

    assert sheet("喜び", "怒り") != sheet("怒り", "喜び")
    assert sheet("müde", "怒り") == sheet("mude", "2 ??")


def test_a_folder_that_can_not_be_written(report: Report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FacemotionError, match="the report can't be written"):
        report.save(tmp_path / "file")
