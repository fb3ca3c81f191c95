"""Mutated clips: frames or a VideoError, in seconds. FFmpeg decodes them; what it does to the process is looked at."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from mutated_pictures import cut, flip_bits, leave_out, overwrite, repeat, splice

from facemotion.errors import VideoError
from facemotion.opencv import cv2
from facemotion.video.frames import clip_info, read_frames

FRAMES, SIZE = 12, (96, 64)
MUTATIONS = (flip_bits, flip_bits, overwrite, overwrite, cut, leave_out, repeat, splice)
KINDS = (("mp4", "mp4v"), ("avi", "MJPG"), ("mkv", "mp4v"), ("avi", "XVID"))


def write(path: Path, code: str) -> bytes:
    drawn = np.random.default_rng(0).integers(0, 256, (FRAMES, 4, 6, 3), np.uint8)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 25, SIZE)
    for frame in drawn:
        writer.write(cv2.resize(frame, SIZE, interpolation=cv2.INTER_CUBIC))
    writer.release()
    assert len(list(read_frames(path))) == FRAMES
    return path.read_bytes()


def read_mutated(folder: Path, first: int, count: int) -> tuple[int, int, float, list[str]]:
    """How many gave frames, how many were refused, the slowest, and what broke the promise."""
    whole = [(kind, write(folder / f"{code}.{kind}", code)) for kind, code in KINDS]
    read, refused, slowest, wrong = 0, 0, 0.0, []
    for number in range(first, first + count):
        draw = random.Random(number)
        kind, data = draw.choice(whole)
        path = folder / f"clip.{kind}"
        for _ in range(draw.choice((1, 1, 2, 5))):
            data = draw.choice(MUTATIONS)(data, draw)
        path.write_bytes(data)
        began, frames = time.process_time(), 0
        try:
            clip_info(path)
            for frame in islice(read_frames(path), 50 * FRAMES):
                frames += 1
                if frame.image.dtype != np.uint8 or frame.image.shape[2:] != (3,) or not np.isfinite(frame.time):
                    wrong.append(f"{number}: {frame.image.dtype} {frame.image.shape} at {frame.time}")
            read += 1
            if frames == 50 * FRAMES:
                wrong.append(f"{number}: frames without end")
        except VideoError:
            refused += 1
        except BaseException as error:  # the very thing that is looked for
            wrong.append(f"{number}: {type(error).__name__}: {error}")
        slowest = max(slowest, time.process_time() - began)
    return read, refused, slowest, wrong


def test_a_mutated_clip_is_frames_or_a_video_error(tmp_path: Path, rounds: Callable[[int, int], int]) -> None:
    count = rounds(100, 5_000)
    # in a process of its own: a decoder that writes where it must not would end it
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        read, refused, slowest, wrong = pool.submit(read_mutated, tmp_path, 0, count).result()
    assert wrong == []
    assert read + refused == count
    assert min(read, refused) > count / 10
    assert slowest < 10
