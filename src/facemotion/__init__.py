"""Facial emotion recognition: the emotions of every face in a photo, a video or a webcam.

Public names are resolved on first use (PEP 562), so that `import facemotion` loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facemotion.errors import (
    ChecksumError,
    ConfigError,
    DataError,
    DeviceError,
    DownloadError,
    FacemotionError,
    ImageError,
    MissingExtraError,
    PluginError,
    RecipeError,
    TrainingError,
    UnknownNameError,
    VideoError,
    WeightsError,
)
from facemotion.version import __version__

if TYPE_CHECKING:
    from facemotion.backbones.network import list_backbones
    from facemotion.boxes import Box
    from facemotion.data.reading import read_data
    from facemotion.data.samples import Samples
    from facemotion.detectors.detector import FaceDetector, list_detectors
    from facemotion.evaluation.evaluator import Evaluator
    from facemotion.evaluation.report import Report
    from facemotion.inputs import InputSpec
    from facemotion.labels import LabelSet
    from facemotion.recipes.recipe import Recipe
    from facemotion.recognizer import EmotionRecognizer
    from facemotion.results import Face, FaceEmotion, Frame
    from facemotion.training.history import History
    from facemotion.training.trainer import Trainer
    from facemotion.weights.listing import list_weights

_HOME_OF = {
    "Box": "facemotion.boxes",
    "EmotionRecognizer": "facemotion.recognizer",
    "Evaluator": "facemotion.evaluation.evaluator",
    "Face": "facemotion.results",
    "FaceDetector": "facemotion.detectors.detector",
    "FaceEmotion": "facemotion.results",
    "Frame": "facemotion.results",
    "History": "facemotion.training.history",
    "InputSpec": "facemotion.inputs",
    "LabelSet": "facemotion.labels",
    "Recipe": "facemotion.recipes.recipe",
    "Report": "facemotion.evaluation.report",
    "Samples": "facemotion.data.samples",
    "Trainer": "facemotion.training.trainer",
    "list_backbones": "facemotion.backbones.network",
    "list_detectors": "facemotion.detectors.detector",
    "list_weights": "facemotion.weights.listing",
    "read_data": "facemotion.data.reading",
}

# modules that people write out, as in `facemotion.images.from_bgr(frame)`
_MODULES = ("crops", "drawing", "evaluation", "images", "scale", "testing")

__all__ = [
    "Box",
    "ChecksumError",
    "ConfigError",
    "DataError",
    "DeviceError",
    "DownloadError",
    "EmotionRecognizer",
    "Evaluator",
    "Face",
    "FaceDetector",
    "FaceEmotion",
    "FacemotionError",
    "Frame",
    "History",
    "ImageError",
    "InputSpec",
    "LabelSet",
    "MissingExtraError",
    "PluginError",
    "Recipe",
    "RecipeError",
    "Report",
    "Samples",
    "Trainer",
    "TrainingError",
    "UnknownNameError",
    "VideoError",
    "WeightsError",
    "__version__",
    "list_backbones",
    "list_detectors",
    "list_weights",
    "read_data",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
