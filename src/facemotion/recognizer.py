"""`EmotionRecognizer`: a detector, the cutting of crops, and a classifier.

What single pictures do not need (scipy for tracks, the hub, torch's export) is imported by what does.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from facemotion.classifier import Classifier, Precision
from facemotion.crops import cut, whole_face, without_margin
from facemotion.detectors.detector import DETECTORS, FaceDetector, takes_pictures_for_faces
from facemotion.devices import cpu_threads
from facemotion.images import ImageSource, read_image
from facemotion.labels import LabelSet
from facemotion.many_images import in_chunks, read_each, several
from facemotion.results import Face, FaceEmotion, Frame
from facemotion.weights.catalogue import DEFAULT_WEIGHTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.inputs import InputSpec
    from facemotion.results import Pixels
    from facemotion.video.frames import VideoSource


class Detects(Protocol):
    """Anything that finds faces: a FaceDetector, or an object of your own."""

    def detect(self, image: Any) -> list[Face]: ...


class EmotionRecognizer:
    """The emotions of every face in a picture. `from_pretrained` makes one.

    detector: the name of one ("auto" takes the best that is there), or any object with `detect(image) -> list[Face]`.
    """

    def __init__(self, classifier: Classifier, *, detector: str | Detects = "auto", device: str = "auto") -> None:
        if not isinstance(detector, str) and not hasattr(detector, "detect"):
            raise TypeError(f"detector: expected a name, or an object with detect(image), got {detector!r}")
        if isinstance(classifier, str | os.PathLike):
            raise TypeError("classifier: expected a Classifier; for weights: EmotionRecognizer.from_pretrained(...)")
        if isinstance(detector, str) and detector != "auto":
            DETECTORS.distributions(detector)  # tells at once, and not with the first picture, that there is none
        self.classifier = classifier
        self._wanted, self._device = detector, device
        self._detector: Detects | None = None if isinstance(detector, str) else detector

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str] = DEFAULT_WEIGHTS,
        *,
        detector: str | Detects = "auto",
        device: str = "auto",
        dtype: Precision = "float32",
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
    ) -> Self:
        """A recognizer from a weights folder, a name of `list_weights()`, or `owner/repo[@revision]` of the hub.

        Every byte is verified before use. revision, cache_dir, local_files_only: as in huggingface_hub. dtype: half
        precision, only where it is asked for.
        """
        classifier = Classifier.load(
            name,
            device=device,
            dtype=dtype,
            revision=revision,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
        )
        return cls(classifier, detector=detector, device=device)

    @property
    def labels(self) -> LabelSet:
        """The labels in the order of the columns of `classify`."""
        return self.classifier.labels

    @property
    def detector(self) -> Detects:
        """The detector; made when it is first needed, so that `classify` works without one."""
        if self._detector is None:
            assert isinstance(self._wanted, str)
            self._detector = FaceDetector(self._wanted, device=self._device)
        return self._detector

    @property
    def crop_spec(self) -> InputSpec:
        """How faces are cut out of pictures for the network; those that are faces already get no margin."""
        spec = self.classifier.config.input
        return without_margin(spec) if takes_pictures_for_faces(self.detector) else spec

    def predict(self, image: ImageSource) -> list[FaceEmotion]:
        """The emotions of every face in a picture, the largest face first; an empty list where there is none.

        image: a path, the bytes of a file, an open binary file, a PIL image, or an array (uint8, RGB or grey).
        """
        return self._predict([read_image(image)], batch_size=32)[0]

    def predict_batch(self, images: Iterable[ImageSource], batch_size: int = 32) -> list[list[FaceEmotion]]:
        """As `predict`, of many pictures: read ahead, detected together, and their faces classified together.

        batch_size: how many pictures are worked on together, fewer where they are large, and how many faces go through
        the network at once; no more than so many, and at most eight, are read ahead besides. `images` may be a
        generator: it is drawn from as the work goes on.
        """
        pixels = read_each(several(images), min(cpu_threads(), max(batch_size, 1)))
        return [found for chunk in in_chunks(pixels, batch_size, np.size) for found in self._predict(chunk, batch_size)]

    def stream(
        self,
        source: VideoSource,
        *,
        track: bool = True,
        smooth: float = 0.15,
        every: int = 1,
        fps: float | None = None,
    ) -> Iterator[Frame]:
        """The frames of a video with their faces, each with its index and time; few of them are in memory at a time.

        source: a camera's index or device, a clip's path, a URL, or any iterable of RGB arrays. A clip loses no frame;
        of a camera or a live stream a slow reader gets the newest one.
        track: give each face a `track_id` that stays its own. smooth: half-life of the scores in seconds, so that
        labels do not flicker; 0 turns it off. every: look at each n-th frame only, faces are carried along in between.
        fps: the rate of an iterable (30 unless given); for a clip it replaces the times in the file.
        """
        from facemotion.video.stream import stream

        return stream(source, self.predict, track=track, smooth=smooth, every=every, fps=fps)

    def classify(self, crops: Sequence[ImageSource] | Pixels, batch_size: int = 32) -> NDArray[np.float32]:
        """(n, K) probabilities of pictures that are faces already, whatever their size; column k is `labels[k]`."""
        spec = without_margin(self.classifier.config.input)
        faces = read_each(several(crops), cpu_threads())
        ready = [cut(face, [whole_face(face)], spec) for face in faces]
        shape = (0, spec.size, spec.size, spec.channels)
        return self.classifier.probabilities(np.concatenate([np.empty(shape, np.uint8), *ready]), batch_size)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write the weights folder: config.json, model.safetensors, and README.md, the model card."""
        self.classifier.save(folder)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool = False,
        message: str = "Upload facemotion weights",
        token: str | None = None,
    ) -> str:
        """Publish the weights folder with its card as `owner/repo` of the hub; gives the revision it now has there."""
        from facemotion.weights import hub

        with tempfile.TemporaryDirectory() as folder:
            self.classifier.save(folder, name=repo_id)
            return hub.upload(Path(folder), repo_id, private=private, message=message, token=token)

    def export(self, path: str | os.PathLike[str]) -> float:
        """Write an ONNX file; gives the largest difference of a probability from torch's."""
        from facemotion.export import export_onnx

        return export_onnx(self.classifier.net, self.classifier.config, path)

    def _predict(self, images: Sequence[Pixels], batch_size: int) -> list[list[FaceEmotion]]:
        faces = [sorted(found, key=lambda face: -face.box.area) for found in self._detect(images)]
        spec = self.crop_spec
        crops = np.concatenate([cut(image, found, spec) for image, found in zip(images, faces, strict=True)])
        rows = iter(self.classifier.probabilities(crops, batch_size))
        return [[self._describe(face, next(rows)) for face in found] for found in faces]

    def _detect(self, images: Sequence[Pixels]) -> list[list[Face]]:
        if len(images) > 1 and hasattr(self.detector, "detect_batch"):
            together: list[list[Face]] = self.detector.detect_batch(images)
            return together
        return [self.detector.detect(image) for image in images]

    def _describe(self, face: Face, row: NDArray[np.float32]) -> FaceEmotion:
        scores = {label: float(value) for label, value in zip(self.labels, row, strict=True)}
        label = self.labels[int(row.argmax())]
        return FaceEmotion(label, scores[label], scores, face.box, face.score, face.landmarks)
