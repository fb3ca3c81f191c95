"""How often things are tried: a little in every run of the tests, very often in `make fuzz`."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest


@pytest.fixture
def rounds() -> Callable[[int, int], int]:
    """Of two numbers the first, or the second where FACEMOTION_FUZZ is `long`."""
    return lambda short, long: long if os.environ.get("FACEMOTION_FUZZ") == "long" else short
