"""`EmotionRecognizer`: a detector, the cutting of crops, and a classifier."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from facemotion.boxes import Box
from facemotion.classifier import Classifier, Precision
from facemotion.crops import cut
from facemotion.detectors.detector import FaceDetector
from facemotion.errors import ImageError
from facemotion.export import export_onnx
from facemotion.images import ImageSource, read_image
from facemotion.labels import LabelSet
from facemotion.results import Face, FaceEmotion
from facemotion.weights import hub

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.results import Pixels

DEFAULT_WEIGHTS = "fast-8class"


class Detects(Protocol):
    """Anything that finds faces: a FaceDetector, or an object of your own."""

    def detect(self, image: Any) -> list[Face]: ...


class EmotionRecognizer:
    """The emotions of every face in a picture.

    detector: the name of one ("auto" takes the best that is there), or any object with `detect(image) -> list[Face]`.
    """

    def __init__(self, classifier: Classifier, *, detector: str | Detects = "auto", device: str = "auto") -> None:
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

    def predict(self, image: ImageSource) -> list[FaceEmotion]:
        """The emotions of every face in a picture, the largest face first; an empty list where there is none."""
        return self.predict_batch([image])[0]

    def predict_batch(self, images: Iterable[ImageSource], batch_size: int = 32) -> list[list[FaceEmotion]]:
        """As `predict`, of many pictures: their faces go through the network `batch_size` at a time."""
        spec = self.classifier.config.input
        faces, crops = [], []
        for image in images:
            pixels = read_image(image)
            found = sorted(self.detector.detect(pixels), key=lambda face: -face.box.area)
            faces.append(found)
            crops.append(cut(pixels, found, spec))
        if not faces:
            return []
        rows = iter(self.classifier.probabilities(np.concatenate(crops), batch_size))
        return [[self._describe(face, next(rows)) for face in found] for found in faces]

    def classify(self, crops: Sequence[ImageSource] | Pixels, batch_size: int = 32) -> NDArray[np.float32]:
        """(n, K) probabilities of pictures that are faces already, whatever their size; column k is `labels[k]`."""
        spec = replace(self.classifier.config.input, margin=0.0, align=False)
        ready = [cut(face, [_whole(face)], spec) for face in _each(crops)]
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
        with tempfile.TemporaryDirectory() as folder:
            self.classifier.save(folder, name=repo_id)
            return hub.upload(Path(folder), repo_id, private=private, message=message, token=token)

    def export(self, path: str | os.PathLike[str]) -> float:
        """Write an ONNX file; gives the largest difference of a probability from torch's."""
        return export_onnx(self.classifier.net, self.classifier.config, path)

    def _describe(self, face: Face, row: NDArray[np.float32]) -> FaceEmotion:
        scores = {label: float(value) for label, value in zip(self.labels, row, strict=True)}
        label = self.labels[int(row.argmax())]
        return FaceEmotion(label, scores[label], scores, face.box, face.score, face.landmarks)


def _whole(image: Pixels) -> Face:
    return Face(Box(0, 0, image.shape[1], image.shape[0]), 1.0)


def _each(crops: Sequence[ImageSource] | Pixels) -> Iterator[Pixels]:
    if isinstance(crops, np.ndarray):
        if crops.ndim == 4 and crops.shape[3] == 1:
            crops = crops[..., 0]
        if crops.ndim not in (3, 4) or (crops.ndim == 3 and crops.shape[2] == 3):
            hint = "; for one picture: [picture]" if crops.ndim == 3 else ""
            wanted = "(n, height, width) or (n, height, width, 3)"
            raise ImageError("wrong crops", expected=wanted, got=f"shape {crops.shape}{hint}")
    elif isinstance(crops, str | bytes | os.PathLike):
        raise ImageError("wrong crops", expected="several pictures", got="one; for one picture: [picture]")
    for crop in crops:
        yield read_image(crop)
