from __future__ import annotations

import itertools

import numpy as np
import pytest

from facemotion import Box, FaceEmotion, LabelSet
from facemotion.video.smoothing import Smoother

LABELS = LabelSet.named("fer7").labels
FPS = 30


def seen(scores: np.ndarray, track_id: int | None = 1) -> FaceEmotion:
    best = int(scores.argmax())
    values = dict(zip(LABELS, scores.tolist(), strict=True))
    return FaceEmotion(LABELS[best], float(scores[best]), values, Box(0, 0, 10, 10), 0.9, track_id=track_id)


def noisy(rng: np.random.Generator, truth: int, strength: float = 0.9, noise: float = 1.0) -> np.ndarray:
    """What a network says of a face whose expression is `truth`: right more often than not, never the same twice."""
    logits = rng.normal(0, noise, len(LABELS))
    logits[truth] += strength
    return np.exp(logits) / np.exp(logits).sum()


def flips(labels: list[str]) -> int:
    return sum(one != other for one, other in itertools.pairwise(labels))


@pytest.mark.parametrize("seed", range(5))
def test_labels_flip_at_most_three_tenths_as_often(seed: int) -> None:
    rng, smoother = np.random.default_rng(seed), Smoother(0.15)
    raw = [seen(noisy(rng, truth=3, strength=2.0)) for _ in range(300)]
    smooth = [smoother.update([face], frame / FPS)[0] for frame, face in enumerate(raw)]
    before, after = flips([face.label for face in raw]), flips([face.label for face in smooth])
    assert before > 30
    assert after <= 0.3 * before


@pytest.mark.parametrize("seed", range(10))
def test_a_true_change_is_followed_within_three_tenths_of_a_second(seed: int) -> None:
    rng, smoother = np.random.default_rng(seed), Smoother(0.15)
    for frame in range(60):
        smoother.update([seen(noisy(rng, truth=3, strength=4))], frame / FPS)
    for frame in range(60, 90):
        [face] = smoother.update([seen(noisy(rng, truth=5, strength=4))], frame / FPS)
        if face.label == LABELS[5]:
            break
    assert (frame - 60) / FPS < 0.3


def test_half_of_a_score_is_left_after_the_half_life_whatever_the_rate() -> None:
    before, after = np.eye(7)[0], np.eye(7)[1]
    for steps in (1, 3, 30):
        smoother = Smoother(0.6)
        smoother.update([seen(before)], 0.0)
        for step in range(1, steps + 1):
            [face] = smoother.update([seen(after)], 0.6 * step / steps)
        assert face.scores[LABELS[0]] == pytest.approx(0.5)
        assert sum(face.scores.values()) == pytest.approx(1)
        assert face.score == face.scores[face.label]


def test_a_label_holds_on_until_another_leads_clearly() -> None:
    smoother = Smoother(1e-6)  # no smoothing to speak of: the lead alone decides
    two = lambda a: np.array([a, 1 - a, 0, 0, 0, 0, 0])  # noqa: E731 - two scores that sum to one
    labels = [smoother.update([seen(two(share))], float(step))[0].label for step, share in enumerate((0.6, 0.49, 0.48))]
    assert labels == ["angry", "angry", "disgust"]


def test_each_track_has_its_own_memory_and_no_track_none() -> None:
    smoother = Smoother(1.0)
    one, other = np.eye(7)[0], np.eye(7)[1]
    smoother.update([seen(one, 1), seen(other, 2)], 0.0)
    found = smoother.update([seen(other, 2), seen(one, 1), seen(other, None)], 0.1)
    assert [face.scores[LABELS[0]] for face in found] == [0, 1, 0]


def test_a_track_that_was_gone_for_long_starts_anew() -> None:
    smoother = Smoother(10.0, forget=2.0)
    smoother.update([seen(np.eye(7)[0])], 0.0)
    smoother.update([], 1.0)
    [face] = smoother.update([seen(np.eye(7)[1])], 2.5)
    assert face.scores[LABELS[1]] == 1


def test_frames_that_are_far_apart_are_smoothed_by_the_half_life_too() -> None:
    smoother = Smoother(3.0)
    smoother.update([seen(np.eye(7)[0])], 0.0)
    for time, left in ((3.0, 0.5), (6.0, 0.25)):
        [face] = smoother.update([seen(np.eye(7)[1])], time)
        assert face.scores[LABELS[0]] == pytest.approx(left)


def test_a_clock_that_jumps_back_changes_nothing() -> None:
    smoother = Smoother(0.15)
    smoother.update([seen(np.eye(7)[0])], 5.0)
    [face] = smoother.update([seen(np.eye(7)[1])], 4.0)
    assert face.scores[LABELS[0]] == 1


def test_a_half_life_that_can_t_be() -> None:
    with pytest.raises(ValueError, match="half_life: expected seconds above 0"):
        Smoother(0)
