from __future__ import annotations

import shutil

import pytest


@pytest.fixture
def ffmpeg() -> str:
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("ffmpeg is not installed: what stands on it is not tested here")
    return program
