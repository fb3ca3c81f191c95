"""A file that one process has for itself; the system lets go of it when that process ends, however it ends."""

from __future__ import annotations

import sys
from typing import IO

if sys.platform == "win32":
    import msvcrt

    # a byte that no such file has, since what is locked there others can't read
    _BEYOND = (1 << 31) - 2

    def claim(file: IO[bytes]) -> bool:
        """Take an open file for oneself until it is closed. False where another one has it."""
        file.seek(_BEYOND)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        except OSError:  # a file system without locks
            pass
        return True

else:
    import fcntl

    def claim(file: IO[bytes]) -> bool:
        """Take an open file for oneself until it is closed. False where another one has it."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            pass
        return True
