"""onnxruntime, loaded in this one place, so that what the documentation promises holds for it too: nothing is sent."""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType


def load_onnxruntime() -> ModuleType:
    """The module; an ImportError where the extra `onnx` is not installed.

    Its official builds send events to their maker and keep an identifier in the home folder, unless the environment
    says otherwise before they are loaded.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    return import_module("onnxruntime")
