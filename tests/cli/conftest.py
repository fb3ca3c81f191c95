from __future__ import annotations

import sys
from pathlib import Path

# the clips that the tests of video write are good for the commands too
sys.path.append(str(Path(__file__).resolve().parent.parent / "video"))
