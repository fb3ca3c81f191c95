from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_a_detector_on_onnxruntime_leaves_no_identifier_in_the_home_folder(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    code = (
        "import sys, numpy; from facemotion import FaceDetector; "
        "FaceDetector('mini').detect(numpy.zeros((64, 64, 3), numpy.uint8)); assert 'onnxruntime' in sys.modules"
    )
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", code], env=environment | {"HOME": str(tmp_path)}, check=True)
    assert not list(tmp_path.rglob("*onnxruntime*"))
