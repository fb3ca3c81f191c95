from __future__ import annotations

import json

import numpy as np

from facemotion import Box, Face, FaceEmotion, Frame

LANDMARKS = np.arange(10, dtype=np.float32).reshape(5, 2)


def test_a_face_emotion_is_ready_for_json() -> None:
    face = FaceEmotion(
        label="happy",
        score=np.float32(0.75),  # type: ignore[arg-type]  # numpy scalars must not reach JSON
        scores={"happy": np.float32(0.75), "sad": np.float32(0.25)},  # type: ignore[dict-item]  # likewise
        box=Box(1, 2, 3, 4),
        detection_score=np.float32(0.5),  # type: ignore[arg-type]  # likewise
        landmarks=LANDMARKS,
    )
    values = json.loads(json.dumps(face.to_dict()))
    assert list(values) == ["label", "score", "scores", "box", "detection_score", "landmarks", "track_id"]
    assert values["box"] == [1, 2, 3, 4]
    assert values["scores"] == {"happy": 0.75, "sad": 0.25}
    assert values["landmarks"] == LANDMARKS.tolist()
    assert values["track_id"] is None


def test_results_can_be_compared() -> None:
    assert Face(Box(1, 2, 3, 4), 0.9, LANDMARKS) == Face(Box(1, 2, 3, 4), 0.9, LANDMARKS + 1)
    assert Face(Box(1, 2, 3, 4), 0.9) != Face(Box(1, 2, 3, 4), 0.8)
    image = np.zeros((2, 2, 3), np.uint8)
    assert Frame(0, 0.0, image, []) == Frame(0, 0.0, image.copy(), [])
    assert "array" not in repr(Frame(0, 0.0, image, []))
