from __future__ import annotations

import numpy as np
import pytest

from facemotion import Box


def test_a_box_knows_its_measures() -> None:
    box = Box(10, 20, 40, 60)
    assert (box.width, box.height, box.area, box.center) == (30, 40, 1200, (25, 40))
    assert tuple(box) == (10, 20, 40, 60)


def test_boxes_become_rows_of_an_array() -> None:
    boxes = [Box(10, 20, 40, 60), Box(1.5, 2, 3, 4)]
    assert np.array_equal(np.array(boxes), [(10, 20, 40, 60), (1.5, 2, 3, 4)])
    assert np.array(boxes[1]).dtype == float
    assert (boxes[0][0], boxes[0][-1]) == (10, 60)
    assert np.array_equal(np.array([box.scale(2) for box in boxes[:1]]).astype(int), [(20, 40, 80, 120)])


def test_clip_keeps_what_lies_within_the_image() -> None:
    assert Box(-5, 10, 50, 200).clip(40, 100) == Box(0, 10, 40, 100)
    assert Box(50, 50, 60, 60).clip(40, 40) == Box(40, 40, 40, 40)
    assert Box(1, 2, 3, 4).clip(40, 40) == Box(1, 2, 3, 4)


def test_scale_goes_both_ways_or_each_its_own() -> None:
    assert Box(1, 2, 3, 4).scale(2) == Box(2, 4, 6, 8)
    assert Box(1, 2, 3, 4).scale(2, 0.5) == Box(2, 1, 6, 2)


def test_iou_against_the_hand() -> None:
    assert Box(0, 0, 10, 10).iou(Box(5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert Box(0, 0, 10, 10).iou(Box(0, 0, 10, 10)) == 1
    assert Box(0, 0, 10, 10).iou(Box(10, 0, 20, 10)) == 0
    assert Box(0, 0, 0, 0).iou(Box(0, 0, 0, 0)) == 0


def test_square_has_the_longer_side_and_the_margin_on_every_side() -> None:
    assert Box(10, 20, 20, 60).square() == Box(-5, 20, 35, 60)
    square = Box(10, 20, 20, 60).square(0.1)
    assert (square.width, square.height, *square.center) == pytest.approx((48, 48, 15, 40))


@pytest.mark.parametrize("values", [(5, 0, 4, 1), (0, 5, 1, 4), (float("nan"), 0, 1, 1), (0, 0, float("inf"), 1)])
def test_what_is_no_box_is_refused(values: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="a box needs"):
        Box(*values)
