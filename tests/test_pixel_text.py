from __future__ import annotations

import numpy as np

from facemotion.pixel_text import fitting_text, text_mask, text_sizes, write_text


def test_letters_that_the_font_lacks_are_spelt_or_marked() -> None:
    assert np.array_equal(text_mask("müde", 20), text_mask("mude", 20))
    assert np.array_equal(text_mask("眠い", 20), text_mask("??", 20))


def test_text_is_the_largest_that_fits() -> None:
    whole = text_mask("happy 86%", 20)
    assert np.array_equal(fitting_text("happy 86%", whole.shape[1], 100, 20), whole)
    smaller = fitting_text("happy 86%", whole.shape[1] - 1, 100, 20)
    assert smaller is not None and np.array_equal(smaller, text_mask("happy 86%", 19))
    assert fitting_text("happy 86%", 10, 10, 20) is None


def test_sizes_fall_from_the_usual_one_to_the_smallest() -> None:
    sizes = list(text_sizes(np.zeros((1000, 2000, 3), np.uint8), 7))
    assert (sizes[0], sizes[-1]) == (30, 7)
    assert sizes == sorted(set(sizes), reverse=True)


def test_text_covers_what_its_mask_says() -> None:
    canvas, mask = np.full((40, 200, 3), 100, np.uint8), text_mask("happy", 20)
    write_text(canvas, mask, 5, 7, (255, 0, 0))
    height, width = mask.shape
    assert (canvas[7 : 7 + height, 5 : 5 + width][mask == 255] == (255, 0, 0)).all()
    canvas[7 : 7 + height, 5 : 5 + width][mask > 0] = 100
    assert (canvas == 100).all()
