from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from facemotion import Box, Face, FaceEmotion, LabelSet, drawing
from facemotion.drawing import _Panel, caption, draw, label_colour, mirror
from facemotion.pixel_text import text_mask

LABELS = LabelSet.named("ferplus8")


def emotion(label: str, box: tuple[float, float, float, float], labels: LabelSet = LABELS) -> FaceEmotion:
    scores = {each: 0.02 for each in labels} | {label: 0.86}
    return FaceEmotion(label, 0.86, scores, Box(*box), 0.9)


def test_the_picture_given_is_not_changed(astronaut: np.ndarray) -> None:
    before = astronaut.copy()
    drawn = draw(astronaut, [emotion("happy", (178, 62, 268, 176))], bars=True)
    assert np.array_equal(astronaut, before)
    assert drawn.shape == astronaut.shape
    assert drawn.dtype == np.uint8
    assert not np.array_equal(drawn, before)
    assert np.array_equal(draw(astronaut, []), before)
    assert draw(astronaut[..., 0], [emotion("happy", (178, 62, 268, 176))]).shape == astronaut.shape


def test_the_box_is_where_the_face_is_and_in_its_label_s_colour(astronaut: np.ndarray) -> None:
    drawn = draw(astronaut, [emotion("sad", (178.4, 262, 268, 376))])
    for x, y in [(178, 300), (268, 300), (200, 376), (260, 262)]:
        assert tuple(drawn[y, x]) == label_colour("sad")
    assert np.array_equal(drawn[300:340, 200:240], astronaut[300:340, 200:240])


@pytest.mark.parametrize("ground", [0, 128, 255])
@pytest.mark.parametrize("size", [(320, 240), (640, 480), (3840, 2160)])
@pytest.mark.parametrize("label", LABELS)
def test_text_and_line_stand_out_from_any_ground(ground: int, size: tuple[int, int], label: str) -> None:
    image = np.full((size[1], size[0], 3), ground, np.uint8)
    box = (size[0] * 0.3, size[1] * 0.3, size[0] * 0.6, size[1] * 0.7)
    drawn = draw(image, [emotion(label, box)]).astype(int)
    grey = drawn @ (0.299, 0.587, 0.114)
    tag = drawn[: int(box[1]), int(box[0]) : int(box[2])]
    changed = (tag != ground).any(axis=(1, 2))
    height = changed.sum()
    # tall enough to read: at least 11 pixels, and 2.5% of a large picture
    assert height >= max(11, 0.025 * size[1])
    rows = np.flatnonzero(changed)
    text = grey[rows[0] : rows[-1], int(box[0]) + 2 : int(box[2])]
    assert text.max() - text.min() > 90
    line = grey[int(size[1] * 0.5), int(box[0]) - 8 : int(box[0]) + 9]
    assert line.max() - line.min() > 50


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 40, 40),
        (280, 0, 320, 40),
        (0, 200, 40, 240),
        (300, 220, 320, 240),
        (0, 0, 320, 240),
        (318, 100, 320, 102),
    ],
)
def test_text_is_never_cut_by_the_border(box: tuple[int, int, int, int]) -> None:
    """Every inked pixel of the tag is found again somewhere in the picture, dark on its ground."""
    drawn = draw(np.full((240, 320, 3), 90, np.uint8), [emotion("happy", box)])
    ink = text_mask("happy 86%", 11) > 127
    height, width = ink.shape
    windows = np.lib.stride_tricks.sliding_window_view(drawn.max(axis=2) < 130, (height, width))
    assert (windows[..., ink].all(axis=-1) & ~windows[..., ~ink].all(axis=-1)).any()


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (24, 24), (48, 48)])
def test_a_tiny_picture_is_drawn_without_what_does_not_fit(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    faces = [emotion("surprise", (0, 0, size[1], size[0])), Face(Box(-5, -5, 900, 900), 0.5)]
    assert draw(image, faces, bars=True).shape == image.shape


def test_bars_show_every_label_in_proportion() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    scores = {"happy": 0.5, "sad": 0.25, "angry": 0.25}
    face = FaceEmotion("happy", 0.5, scores, Box(50, 100, 150, 200), 0.9)
    panel = draw(image, [face], bars=True)[:, 152:]
    lengths = {
        label: int((np.abs(panel.astype(int) - label_colour(label)).max(axis=2) == 0).any(axis=0).sum())
        for label in scores
    }
    assert lengths["sad"] == lengths["angry"] > 5
    assert lengths["happy"] == pytest.approx(2 * lengths["sad"], abs=2)


def panels(image: np.ndarray, faces: list[FaceEmotion]) -> np.ndarray:
    """Where panels of bars are in the picture: (H, W). Without black in the picture each of their pixels is darker."""
    image = image.clip(40, 255)
    return (draw(image, faces, bars=True) != draw(image, faces)).any(axis=2)


def test_a_panel_is_to_the_right_of_its_face_where_there_is_room(astronaut: np.ndarray) -> None:
    rows, columns = panels(astronaut, [emotion("happy", (178, 62, 268, 176))]).nonzero()
    assert (rows.min(), columns.min()) == (62, 269)


def test_the_panels_of_two_people_side_by_side_hide_neither_face_nor_panel(astronaut: np.ndarray) -> None:
    person = astronaut[:400, 160:290]
    pair = np.concatenate([person, person], axis=1)
    faces = [emotion("happy", (x, 62, x + 90, 176)) for x in (18, 148)]
    single = panels(pair, faces[:1]).sum()
    both = panels(pair, faces)
    assert not both[62:177, 18:109].any()
    assert not both[62:177, 148:239].any()
    assert both.sum() == pytest.approx(2 * single, rel=0.01)
    # without room above or below them they would hide the faces, in small text, too
    assert not panels(pair[:180], faces).any()


def test_the_panel_of_a_portrait_that_fills_the_picture_leaves_the_eyes(astronaut: np.ndarray) -> None:
    portrait = np.asarray(Image.fromarray(astronaut[62:176, 178:268]).resize((252, 320)))
    for box in ((0, 0, 252, 320), (8, 3, 249, 318), (0, 10, 252, 400)):
        panel = panels(portrait, [emotion("happy", box)])
        assert panel.sum() > 10_000
        assert not panel[:160].any()


def spied_panels(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int, int]]:
    """The places of all panels that are drawn from now on."""
    places = []
    draw_panel = drawing._draw_panel

    def spy(canvas: np.ndarray, panel: drawing._Panel, place: tuple[int, int, int, int]) -> None:
        places.append(place)
        draw_panel(canvas, panel, place)

    monkeypatch.setattr(drawing, "_draw_panel", spy)
    return places


def test_panels_never_hide_each_other(astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = spied_panels(monkeypatch)
    random = np.random.default_rng(0)
    for _ in range(20):
        drawn.clear()
        faces = [emotion("happy", (x, y, x + 40, y + 50)) for x, y in random.integers(0, 460, (12, 2))]
        draw(astronaut, faces, bars=True)
        assert len(drawn) > 3
        covered = np.zeros(astronaut.shape[:2], int)
        for x1, y1, x2, y2 in drawn:
            covered[y1:y2, x1:x2] += 1
        # each leaves the others all but their rims
        assert (covered > 1).sum() <= 0.02 * len(drawn) * (covered > 0).sum()


def test_in_a_crowd_the_text_of_a_panel_is_as_small_as_it_has_to_be(
    astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = spied_panels(monkeypatch)
    wide = np.tile(astronaut, (1, 3, 1))
    row = [emotion("happy", (x, 200, x + 70, 290)) for x in range(40, 1500, 240)]
    draw(wide, row[:1], bars=True)
    [(_, y1, _, y2)] = drawn
    draw(wide, row, bars=True)
    assert len(drawn) == 1 + len(row)
    wide_crowd = [emotion("happy", (x, y, x + 70, y + 90)) for x in range(20, 1500, 150) for y in (40, 250)]
    drawn.clear()
    draw(wide, wide_crowd, bars=True)
    assert len(drawn) >= 0.7 * len(wide_crowd)
    # all in text of one size
    assert {low - high for _, high, _, low in drawn} < set(range(y2 - y1))
    assert len({low - high for _, high, _, low in drawn}) == 1


def test_tags_are_as_small_as_they_have_to_be_to_leave_each_other_readable(astronaut: np.ndarray) -> None:
    wide = np.tile(astronaut, (1, 3, 1)).clip(40, 255)
    row = [emotion("surprise", (x, 200, x + 70, 290)) for x in range(40, 1500, 120)]
    alone = (draw(wide, row[:1]) != wide).any(axis=2)[:198]
    tags = (draw(wide, row) != wide).any(axis=2)[:198]
    assert 0 < tags.any(axis=1).sum() < alone.any(axis=1).sum()
    # with a gap between each and the next
    assert (np.diff(tags.any(axis=0).astype(int), prepend=0) == 1).sum() == len(row)
    # two on the very same place can't, and make the others no smaller
    twice = [emotion("surprise", (40, 200, 110, 290))] * 2 + [emotion("happy", (400, 200, 470, 290))]
    assert ((draw(wide, twice) != wide).any(axis=2)[:198] & alone == alone).all()


def test_no_panel_stands_beside_somebody_else_s_face(astronaut: np.ndarray) -> None:
    faces = [emotion("happy", (230, 20, 290, 90)), emotion("sad", (440, 30, 490, 85))]
    # the only place left for the second one's is in a corner to the left of the first one
    panel = panels(astronaut[:140], faces)
    assert panel[:, 291:413].any()
    assert not panel[:, :291].any()


def test_labels_of_one_s_own_are_written_and_keep_their_colour(astronaut: np.ndarray) -> None:
    own = LabelSet.of(["müde", "眠い", "wach"])
    drawn = draw(astronaut, [emotion("眠い", (178, 62, 268, 176), own)], bars=True)
    assert not np.array_equal(drawn, astronaut)
    assert label_colour("müde") == label_colour("müde")


def test_labels_that_the_font_can_t_write_are_told_apart_by_their_numbers(astronaut: np.ndarray) -> None:
    labels = LabelSet.of(["高兴", "悲伤", "calm"])
    tag = text_mask("2 ?? 86%", max(11, round(len(astronaut) * 0.03)))
    drawn = draw(astronaut, [emotion("悲伤", (178, 62, 268, 176), labels)])[62 - len(tag) : 62, 178:][:, : tag.shape[1]]
    ground = np.array(label_colour("悲伤"))
    assert np.array_equal((drawn != ground).any(axis=2), tag > 0)
    names = _Panel.of(dict.fromkeys(labels, 0.3), 20).names
    assert [
        np.array_equal(name, text_mask(text, 20)) for name, text in zip(names, ("1 ??", "2 ??", "calm"), strict=True)
    ]


def test_a_small_face_is_not_hidden_by_a_large_one(astronaut: np.ndarray) -> None:
    large, small = emotion("happy", (100, 50, 400, 450)), emotion("sad", (200, 200, 240, 240))
    for order in ([large, small], [small, large]):
        drawn = draw(astronaut, order)
        assert tuple(drawn[220, 240]) == label_colour("sad")


def test_a_mirror_turns_the_picture_and_its_boxes(astronaut: np.ndarray) -> None:
    before = astronaut.copy()
    image, [face] = mirror(astronaut, [emotion("happy", (178, 62, 268, 176))])
    assert np.array_equal(image, astronaut[:, ::-1])
    assert face.box == Box(512 - 268, 62, 512 - 178, 176)
    assert face.label == "happy"
    assert np.array_equal(astronaut, before)


def test_a_caption_stands_in_the_lower_left_corner(astronaut: np.ndarray) -> None:
    shown = caption(astronaut, "25 fps")
    changed = np.argwhere((shown != astronaut).any(axis=2))
    assert changed[:, 0].min() > 512 * 0.9
    assert changed[:, 1].max() < 512 / 4
    assert np.array_equal(caption(np.zeros((3, 3, 3), np.uint8), "25 fps"), np.zeros((3, 3, 3)))


def test_a_caption_on_grey_is_that_on_the_same_in_colour(astronaut: np.ndarray) -> None:
    grey = astronaut[..., 1]
    before = grey.copy()
    in_colour = caption(np.repeat(grey[..., None], 3, axis=2), "25 fps")
    for form in (grey, grey[..., None]):
        assert np.array_equal(caption(form, "25 fps"), in_colour)
    assert np.array_equal(grey, before)
