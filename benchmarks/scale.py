"""How many pictures a second a worker looks at, by the clock and by its own processor time, and how memory goes.

A machine that is busy with other things spoils the clock but not the processor time: where both are far apart, believe
the second, and say that the first was not to be had.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

from facemotion.scale import Progress, predict_dataset

# the first parts hold what is done once: the start of the workers, the first pass through the network
_WARM = 0.2


def workers_seconds() -> float:
    """Processor time of all of Ray's actors on this machine. From /proc: Linux alone."""
    ticks = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes().startswith(b"ray::MapWorker"):
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def megabytes() -> float:
    """What this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="what predict_dataset takes")
    parser.add_argument("--engine", choices=["ray", "local"], default="ray")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--out", type=Path, help="keep the results there")
    chosen = parser.parse_args()
    marks: list[tuple[float, float, int, float]] = []

    def tell(progress: Progress) -> None:
        used = time.process_time() if chosen.engine == "local" else workers_seconds()
        marks.append((time.perf_counter(), used, progress.done, megabytes()))

    out = chosen.out or Path(tempfile.mkdtemp())
    try:
        print(
            predict_dataset(
                chosen.source,
                out,
                engine=chosen.engine,
                workers=chosen.workers,
                threads=1,
                detector=chosen.detector,
                progress=tell,
            )
        )
    finally:
        if not chosen.out:
            shutil.rmtree(out)
    first, last = marks[int(len(marks) * _WARM)], marks[-1]
    images = last[2] - first[2]
    print(f"{images} pictures: {images / (last[0] - first[0]):.1f} a second by the clock, ", end="")
    print(f"{images / (last[1] - first[1]):.1f} a second of processor time of the workers")
    print(f"memory of the driver: {first[3]:.0f} MB after the first parts, {last[3]:.0f} MB at the end")


if __name__ == "__main__":
    main()
