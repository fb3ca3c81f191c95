"""`facemotion video`: the emotions of every face through a clip, as a table, an annotated clip, or crops."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facemotion.cli.paths import FILE
from facemotion.cli.progress import Progress
from facemotion.cli.recognition import (
    csv_option,
    folder_option,
    load_recognizer,
    mp4_path,
    quiet_opencv,
    recognizer_options,
    refuse_to_overwrite,
)
from facemotion.cli.streams import shown
from facemotion.file_names import without_secrets

if TYPE_CHECKING:
    from facemotion.recognizer import EmotionRecognizer
    from facemotion.results import Frame
    from facemotion.video.whole import ClipInfo

_TRACKS_SHOWN = 20


@click.command(epilog="Example: facemotion video party.mp4 --csv faces.csv --annotate annotated.mp4")
@click.argument("clip", metavar="CLIP")
@recognizer_options
@csv_option("Write a table: a row a face of every frame.")
@click.option(
    "--annotate",
    type=FILE,
    callback=mp4_path,
    metavar="FILE.mp4",
    help="Write the clip with boxes, labels and scores; with its sound where ffmpeg is installed.",
)
@folder_option("--crops", "Write the faces as the network saw them.")
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Look at each n-th frame only; in between the boxes are moved along.",
)
def video(
    clip: str,
    weights: str,
    detector: str,
    device: str,
    csv_file: Path | None,
    annotate: Path | None,
    crops: Path | None,
    every: int,
) -> None:
    """Follow every face through CLIP, a file or an address, and show who was seen when, and with what expression.

    Of a clip that breaks off, what could be read is kept, and the exit code is 1.
    """
    quiet_opencv()
    from facemotion.errors import VideoError
    from facemotion.video.frames import clip_info

    refuse_to_overwrite([clip], [("--csv", csv_file), ("--annotate", annotate)])
    info = clip_info(clip)
    recognizer = load_recognizer(weights, detector, device)
    summary = _Summary()
    broken: VideoError | None = None
    try:
        _follow(clip, info, recognizer, csv_file, annotate, crops, every, summary)
    except VideoError as error:
        broken = error
    if summary.frames:
        click.echo(summary.text(clip))
    if broken:
        raise broken


def _follow(
    clip: str,
    info: ClipInfo,
    recognizer: EmotionRecognizer,
    csv_file: Path | None,
    annotate: Path | None,
    crops: Path | None,
    every: int,
    summary: _Summary,
) -> None:
    from facemotion.cli.tables import Table
    from facemotion.drawing import draw
    from facemotion.tables import video_columns, video_rows
    from facemotion.video.frames import is_live
    from facemotion.video.writing import SLOWEST, ClipWriter

    # a camera's sound is that of now, and has no end
    sound = clip if annotate and not is_live(clip, info) else None
    with ExitStack() as stack:
        table = stack.enter_context(Table(csv_file, video_columns(recognizer.labels))) if csv_file else None
        rate = max(info.fps, SLOWEST)
        writer = stack.enter_context(ClipWriter(annotate, rate, sound_of=sound)) if annotate else None
        progress = stack.enter_context(Progress("frames"))
        for number, frame in enumerate(recognizer.stream(clip, every=every)):
            summary.add(frame)
            if table:
                table.add(video_rows(frame, recognizer.labels))
            if writer:
                writer.write(draw(frame.image, frame.faces), frame.time)
            if crops and number % every == 0:  # the network saw no others
                _write_crops(frame, recognizer, crops)
            progress(number + 1, info.frames)


def _write_crops(frame: Frame, recognizer: EmotionRecognizer, folder: Path) -> None:
    from facemotion.cli.pictures import crop_name, refuse_to_replace, save_picture
    from facemotion.crops import cut

    for face, crop in zip(frame.faces, cut(frame.image, frame.faces, recognizer.crop_spec), strict=True):
        path = folder / crop_name(f"{frame.index:06}", face.track_id or 0, face.label)
        refuse_to_replace("--crops", path)
        save_picture(path, crop)


@dataclass
class _Seen:
    first: float
    last: float
    labels: Counter[str] = field(default_factory=Counter)


@dataclass
class _Summary:
    """Who was seen when, with what expression; grows with the people, not with the frames."""

    frames: int = 0
    with_faces: int = 0
    seconds: float = 0.0
    tracks: dict[int, _Seen] = field(default_factory=dict)

    def add(self, frame: Frame) -> None:
        self.frames += 1
        self.with_faces += bool(frame.faces)
        self.seconds = frame.time
        for face in frame.faces:
            seen = self.tracks.setdefault(face.track_id or 0, _Seen(frame.time, frame.time))
            seen.last = frame.time
            seen.labels[face.label] += 1

    def text(self, clip: str) -> str:
        frames = "1 frame" if self.frames == 1 else f"{self.frames:,} frames"
        name = shown(without_secrets(clip))
        lines = [f"{name}: {frames} up to {_clock(self.seconds)}, faces in {self.with_faces:,} of them"]
        often = sorted(self.tracks, key=lambda track: -self.tracks[track].labels.total())[:_TRACKS_SHOWN]
        if often:
            lines.append(f"{'TRACK':<6}  {'FROM':>9}  {'TO':>9}  {'FRAMES':>7}  LABELS")
        for track in sorted(often):
            seen = self.tracks[track]
            count = seen.labels.total()
            shares = ", ".join(f"{label} {each / count:.0%}" for label, each in seen.labels.most_common())
            lines.append(f"{track:<6}  {_clock(seen.first):>9}  {_clock(seen.last):>9}  {count:>7,}  {shares}")
        if len(self.tracks) > len(often):
            lines.append(f"... and {len(self.tracks) - len(often)} tracks that are shorter")
        return "\n".join(lines)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 2), 60)
    return f"{int(minutes)}:{rest:05.2f}"
