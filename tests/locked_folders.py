"""Folders that may not be read, also where the tests run as root."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NOBODY = 65534


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A folder that is locked while the block runs. By a relative path: to root's own folders nobody else gets."""
    if sys.platform == "win32":
        pytest.skip("rights of folders are a Unix thing")
    folder.mkdir(mode=0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o755)
