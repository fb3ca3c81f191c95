from __future__ import annotations

import sys
from pathlib import Path

# drawn faces, and clips, that other tests use too; and what makes the pages
TESTS = Path(__file__).resolve().parent.parent
sys.path += [str(TESTS / "data"), str(TESTS / "video"), str(TESTS.parent / "docs")]
