"""Millions of pictures, thousands of hours of clips: many files through one recognizer, on one machine or a cluster."""

from facemotion.scale.dataset import predict_dataset
from facemotion.scale.outcome import Outcome, Progress

__all__ = ["Outcome", "Progress", "predict_dataset"]
