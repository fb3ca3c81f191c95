"""Pictures of a data set whose classes have names that are long, or in letters that Pillow's font has not."""

from __future__ import annotations

import numpy as np

from facemotion import Samples
from facemotion.data.sheets import bar_chart, contact_sheet


def test_letters_that_the_font_lacks_are_written_as_others() -> None:
    chart = bar_chart({"prüfung": {"müde": 3, "wach": 4}})
    assert np.array_equal(chart, bar_chart({"prufung": {"mude": 3, "wach": 4}}))
    chart = bar_chart({"mąka": {"większość": 3, "głód": 4}})
    assert np.array_equal(chart, bar_chart({"maka": {"wiekszosc": 3, "glod": 4}}))
    # as many samples of each, so that only the names tell the classes apart
    chart = bar_chart({"": {"喜び": 5, "怒り": 5}})
    first, second = chart[44:78], chart[78:112]
    assert not np.array_equal(first, second)
    assert np.array_equal(first[:, 130:], second[:, 130:])


def test_the_sheets_of_classes_in_other_letters_have_different_titles(astronaut: np.ndarray) -> None:
    face = astronaut[62:176, 178:292]
    samples = Samples.from_arrays(np.stack([face, face]), [0, 1], ["喜び", "怒り"])
    sheets = [contact_sheet(samples.subset(samples.targets == at), label) for at, label in enumerate(samples.labels)]
    assert not np.array_equal(sheets[0][:34], sheets[1][:34])
    assert np.array_equal(sheets[0][34:], sheets[1][34:])


def test_a_long_name_of_a_class_is_not_cut_by_the_border() -> None:
    for name in ("tired, bored and a little sad", "very " * 50 + "tired"):
        chart = bar_chart({"": {name: 5, "awake": 5}})
        assert (chart[:, :8] == 255).all()
        assert chart.shape[1] <= 400 + 560 + 90
        # the names end where the bars begin, whatever their length
        bars = np.flatnonzero((chart[55] == (0, 114, 178)).all(axis=1))
        assert chart[44:78, bars[0] - 40 : bars[0] - 10].min() < 60


def test_long_names_of_splits_have_lines_of_their_own_and_end_within_the_chart() -> None:
    first, second = ("recorded in the laboratory, second session, camera on the " + side for side in ("left", "right"))
    for names in ((first, second), (first * 9, second * 9), [f"part {number}" for number in range(30)]):
        chart = bar_chart({name: {"awake": 5, "tired": 4} for name in names})
        assert (chart[:, -8:] == 255).all()
        swapped = bar_chart({name: {"awake": 5, "tired": 4} for name in reversed(names)})
        assert not np.array_equal(chart, swapped), "the splits can't be told apart"
    # lines of names take nothing from the bars
    long, short = (bar_chart({names[0]: {"awake": 5}, names[1]: {"awake": 4}}) for names in ((first, second), "ab"))
    assert np.array_equal(long[66:], short[44:])


def test_the_title_of_a_sheet_ends_in_its_numbers_however_long_the_name(astronaut: np.ndarray) -> None:
    face = astronaut[62:176, 178:292]
    samples = Samples.from_arrays(np.stack([face, face]), [0, 1], ["very " * 50 + "tired", "very " * 50 + "awake"])
    sheets = [contact_sheet(samples.subset(samples.targets == at), label) for at, label in enumerate(samples.labels)]
    for sheet in sheets:
        assert (sheet[:34, -8:] == 255).all()
    assert not np.array_equal(*sheets)
