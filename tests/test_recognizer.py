"""From a picture to emotions, and weights there and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from hub_server import Hub
from PIL import Image

from facemotion import Box, EmotionRecognizer, Face, InputSpec, UnknownNameError
from facemotion.backbones.network import build_network, plan_network
from facemotion.classifier import Classifier
from facemotion.crops import cut
from facemotion.devices import cpu_threads
from facemotion.errors import DownloadError, ImageError
from facemotion.testing import StubDetector

SMALL, LARGE = Face(Box(10, 10, 60, 60), 0.7), Face(Box(180, 50, 300, 200), 0.9)


@pytest.fixture
def recognizer() -> EmotionRecognizer:
    torch.manual_seed(0)
    config = plan_network("fast", "fer7", InputSpec(size=32, margin=0.1))
    config = dataclasses.replace(config, licence="MIT", description="A network for tests.")
    return EmotionRecognizer(Classifier(build_network(config).eval(), config), detector=StubDetector([SMALL, LARGE]))


def test_a_picture_gives_the_largest_face_first(recognizer: EmotionRecognizer, astronaut: np.ndarray) -> None:
    found = recognizer.predict(astronaut)
    assert [face.box for face in found] == [LARGE.box, SMALL.box]
    assert [face.detection_score for face in found] == [0.9, 0.7]
    wanted = recognizer.classifier.probabilities(cut(astronaut, [LARGE, SMALL], recognizer.classifier.config.input))
    for face, row in zip(found, wanted, strict=True):
        assert list(face.scores) == list(recognizer.labels)
        np.testing.assert_allclose(list(face.scores.values()), row, atol=1e-6)
        assert face.label == max(face.scores, key=face.scores.__getitem__)
        assert face.score == face.scores[face.label]
    assert found[0].scores != found[1].scores


def test_all_kinds_of_pictures(recognizer: EmotionRecognizer, astronaut: np.ndarray, astronaut_path: Path) -> None:
    sources = [astronaut, str(astronaut_path), astronaut_path, astronaut_path.read_bytes(), Image.fromarray(astronaut)]
    batch = recognizer.predict_batch(sources, batch_size=3)
    assert len(batch) == len(sources)
    assert batch == [recognizer.predict(source) for source in sources] or all(
        np.allclose(list(a.scores.values()), list(b.scores.values()), atol=1e-5)
        for found, source in zip(batch, sources, strict=True)
        for a, b in zip(found, recognizer.predict(source), strict=True)
    )


def test_a_picture_that_is_a_face_gets_no_margin(recognizer: EmotionRecognizer, astronaut: np.ndarray) -> None:
    faces = [astronaut[:180, 160:290], astronaut[50:178, 170:298]]
    whole = EmotionRecognizer(recognizer.classifier, detector="whole")
    found = [list(face.scores.values()) for [face] in whole.predict_batch(faces)]
    np.testing.assert_allclose(found, whole.classify(faces), atol=1e-6)
    assert whole.crop_spec.margin == 0 and recognizer.crop_spec == recognizer.classifier.config.input


def test_no_face_is_an_empty_list_and_stops_nobody(recognizer: EmotionRecognizer, astronaut: np.ndarray) -> None:
    class OnlyOnBright:
        def detect(self, image: np.ndarray) -> list[Face]:
            return [SMALL] if image.mean() > 10 else []

    some = EmotionRecognizer(recognizer.classifier, detector=OnlyOnBright())
    black = np.zeros((100, 100, 3), np.uint8)
    assert some.predict(black) == []
    assert [len(found) for found in some.predict_batch([black, astronaut, black])] == [0, 1, 0]
    assert some.predict_batch([]) == []


def test_a_batch_is_detected_together_and_drawn_from_as_it_goes_on(
    recognizer: EmotionRecognizer, astronaut: np.ndarray
) -> None:
    class Together:
        """A detector that is faster on many; it notes how many, and how many pictures were asked for by then."""

        def __init__(self) -> None:
            self.batches: list[tuple[int, int]] = []

        def detect(self, image: np.ndarray) -> list[Face]:
            return [SMALL]

        def detect_batch(self, images: list[np.ndarray]) -> list[list[Face]]:
            self.batches.append((len(images), len(asked)))
            return [self.detect(image) for image in images]

    asked: list[int] = []

    def pictures() -> Iterator[np.ndarray]:
        for index in range(50):
            asked.append(index)
            yield astronaut

    detector = Together()
    found = EmotionRecognizer(recognizer.classifier, detector=detector).predict_batch(pictures(), batch_size=8)
    assert [len(faces) for faces in found] == [1] * 50
    assert [size for size, _ in detector.batches] == [8] * 6 + [2]
    # no more pictures are there than a batch and what the threads read ahead
    ahead = cpu_threads() + 1
    assert all(count <= 8 * (turn + 1) + ahead for turn, (_, count) in enumerate(detector.batches))
    [alone] = EmotionRecognizer(recognizer.classifier, detector=StubDetector([SMALL])).predict(astronaut)
    assert found[0][0].box == alone.box
    assert found[0][0].scores == pytest.approx(alone.scores, abs=1e-5)


def test_a_stream_has_its_options_checked_at_once(recognizer: EmotionRecognizer, astronaut: np.ndarray) -> None:
    with pytest.raises(ValueError, match="every: expected a whole number from 1"):
        recognizer.stream([astronaut], every=0)
    with pytest.raises(ValueError, match="smooth: expected seconds, or 0 for none, got -1"):
        recognizer.stream([astronaut], smooth=-1)
    frames = list(recognizer.stream([astronaut] * 3, fps=10))
    assert [(frame.index, frame.time) for frame in frames] == [(0, 0.0), (1, 0.1), (2, 0.2)]
    assert [[face.track_id for face in frame.faces] for frame in frames] == [[1, 2]] * 3
    assert [face.box for face in frames[0].faces] == [LARGE.box, SMALL.box]


def test_crops_that_are_faces_already(recognizer: EmotionRecognizer, astronaut: np.ndarray) -> None:
    crops = np.stack([astronaut[40:240, 160:310][:150], astronaut[100:250, 100:250]])
    rows = recognizer.classify(crops)
    assert rows.shape == (2, 7)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(recognizer.classify(list(crops)), rows)
    np.testing.assert_allclose(recognizer.classify([Image.fromarray(crop) for crop in crops]), rows)
    # the whole picture is the face: no margin is taken from beyond it
    spec = dataclasses.replace(recognizer.classifier.config.input, margin=0.0)
    cut_out = cut(crops[1], [Face(Box(0, 0, 150, 150), 1.0)], spec)
    np.testing.assert_allclose(rows[1:], recognizer.classifier.probabilities(cut_out), atol=1e-5)
    grey = np.random.default_rng(0).integers(0, 256, (3, 32, 32), np.uint8)
    np.testing.assert_allclose(recognizer.classify(grey), recognizer.classify(grey[..., None]))
    # crops of the network's own size are not touched
    np.testing.assert_allclose(
        recognizer.classify(grey), recognizer.classifier.probabilities(grey[..., None]), atol=1e-5
    )
    assert recognizer.classify([]).shape == (0, 7)


def test_one_picture_instead_of_several_is_explained(recognizer: EmotionRecognizer, astronaut: np.ndarray) -> None:
    with_alpha = np.dstack([astronaut, astronaut[..., :1]])
    arrays = (astronaut, with_alpha, astronaut[..., :1])
    for single in (*arrays, Image.fromarray(astronaut), "face.jpg", Path("face.jpg"), b"bytes"):
        with pytest.raises(ImageError, match=r"for one picture: \[picture\]"):
            recognizer.classify(single)
        with pytest.raises(ImageError, match=r"for one picture: \[picture\]"):
            recognizer.predict_batch(single)


def test_of_many_pictures_the_bad_one_is_named(recognizer: EmotionRecognizer, astronaut: np.ndarray) -> None:
    for many in (recognizer.classify, recognizer.predict_batch):
        with pytest.raises(ImageError, match=r"^images\[1\]: wrong array"):
            many([astronaut, astronaut / 255])
        with pytest.raises(ImageError, match=r"^absent\.jpg: no such file"):
            many([astronaut, "absent.jpg"])


def test_an_open_file_is_one_picture_and_not_its_lines(recognizer: EmotionRecognizer, astronaut_path: Path) -> None:
    with astronaut_path.open("rb") as file:
        for many in (recognizer.classify, recognizer.predict_batch):
            with pytest.raises(ImageError, match=r"got an open file; for one picture: \[file\]"):
                many(file)
        assert recognizer.classify([file]).shape == (1, 7)


def test_grey_pictures_may_have_a_channel(recognizer: EmotionRecognizer, astronaut: np.ndarray) -> None:
    grey = astronaut[..., :1]
    found = recognizer.predict(grey)
    assert found == recognizer.predict(grey[..., 0])
    assert recognizer.predict_batch([grey]) == recognizer.predict_batch(grey[None]) == [found]
    crops = np.stack([grey[40:240, 160:310], grey[100:300, 100:250]])
    one_by_one = [recognizer.classify([crop])[0] for crop in crops]
    np.testing.assert_allclose(recognizer.classify(list(crops)), one_by_one, atol=1e-5)


def test_saved_and_read_again(recognizer: EmotionRecognizer, astronaut: np.ndarray, tmp_path: Path) -> None:
    recognizer.save_pretrained(tmp_path / "mine")
    again = EmotionRecognizer.from_pretrained(tmp_path / "mine", detector=StubDetector([SMALL, LARGE]), device="cpu")
    assert again.predict(astronaut) == recognizer.predict(astronaut)
    assert again.labels == recognizer.labels


# huggingface_hub hands its HTTP client a file in a way that the client no longer likes
@pytest.mark.filterwarnings(r"ignore:Use 'content=<\.\.\.>' to upload raw bytes/text content:DeprecationWarning:httpx")
def test_pushed_to_the_hub_and_pulled_back(recognizer: EmotionRecognizer, astronaut: np.ndarray, hub: Hub) -> None:
    commit = recognizer.push_to_hub("me/faces", token="hf_mine")
    published = hub.files["me/faces", commit]
    assert {"config.json", "model.safetensors", "README.md"} <= set(published)
    card = published["README.md"].decode()
    assert card.startswith("---\n") and 'from_pretrained("me/faces")' in card and "A network for tests." in card
    written = [headers for method, _, headers in hub.requests if method == "POST"]
    assert {headers.get("authorization") for headers in written} == {"Bearer hf_mine"}
    pulled = EmotionRecognizer.from_pretrained("me/faces", detector=StubDetector([SMALL, LARGE]))
    assert pulled.predict(astronaut) == recognizer.predict(astronaut)
    again = EmotionRecognizer.from_pretrained("me/faces", revision=commit, local_files_only=True)
    assert again.labels == recognizer.labels


def test_pushing_offline_is_a_download_error(
    recognizer: EmotionRecognizer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match="me/faces of the hub can't be written: HF_HUB_OFFLINE or"):
        recognizer.push_to_hub("me/faces")


def test_pushing_to_a_name_that_the_hub_forbids_says_so(recognizer: EmotionRecognizer, hub: Hub) -> None:
    with pytest.raises(
        DownloadError, match="a/b/c of the hub can't be written: no repository of the hub can be called"
    ):
        recognizer.push_to_hub("a/b/c")
    assert hub.requests == []


def test_export(recognizer: EmotionRecognizer, tmp_path: Path) -> None:
    assert recognizer.export(tmp_path / "net.onnx") <= 1e-3
    assert onnxruntime.InferenceSession(tmp_path / "net.onnx").get_outputs()[0].shape[1] == 7


def test_weights_without_a_name_are_never_replaced_by_others() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'vgg16-5class'"):
        EmotionRecognizer.from_pretrained("vgg19-5class")
    assert len(EmotionRecognizer.from_pretrained().labels) == 8


def test_a_detector_by_its_name_is_made_when_it_is_needed(
    recognizer: EmotionRecognizer, astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = EmotionRecognizer(recognizer.classifier, detector="whole")
    [face] = named.predict(astronaut)
    assert face.box == Box(0, 0, 512, 512)
    monkeypatch.setattr("facemotion.recognizer.FaceDetector", lambda *_, **__: pytest.fail("none is needed"))
    EmotionRecognizer(recognizer.classifier, detector="yunet").classify([astronaut])


def test_a_detector_that_there_is_not_is_said_at_once(recognizer: EmotionRecognizer) -> None:
    with pytest.raises(UnknownNameError, match="no detector is named 'mtcnn'"):
        EmotionRecognizer(recognizer.classifier, detector="mtcnn")


def test_a_name_in_place_of_the_network_is_told_where_it_belongs() -> None:
    with pytest.raises(TypeError, match=r"expected a Classifier; for weights: EmotionRecognizer\.from_pretrained"):
        EmotionRecognizer("fast-8class")


def test_no_detector_is_no_detector(recognizer: EmotionRecognizer) -> None:
    with pytest.raises(TypeError, match="detector: expected a name, or an object with detect"):
        EmotionRecognizer(recognizer.classifier, detector=None)


def test_with_the_real_detector(
    recognizer: EmotionRecognizer, astronaut: np.ndarray, yunet_in_cache: Path, tmp_path: Path
) -> None:
    recognizer.save_pretrained(tmp_path / "mine")
    [face] = EmotionRecognizer.from_pretrained(tmp_path / "mine", detector="yunet").predict(astronaut)
    assert face.detection_score > 0.8
    assert face.landmarks is not None
    assert Box(170, 60, 290, 200).iou(face.box) > 0.4
    assert sum(face.scores.values()) == pytest.approx(1, abs=1e-5)
