from __future__ import annotations

import sys
from pathlib import Path

# drawn and real faces, and clips, that other tests use too
sys.path += [str(Path(__file__).resolve().parent.parent / folder) for folder in ("data", "video")]
