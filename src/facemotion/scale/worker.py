"""What does a part: it loads the recognizer once, and then does part after part, whichever engine hands them out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from facemotion.devices import limited_cpu_threads
from facemotion.errors import FacemotionError, WeightsError
from facemotion.opencv import cv2
from facemotion.recognizer import EmotionRecognizer
from facemotion.results import Frame
from facemotion.scale.clips import join, look_at_segment
from facemotion.scale.faults import FileFault, attempt
from facemotion.scale.job import Job, fingerprint
from facemotion.scale.pictures import look
from facemotion.scale.places import on_this_machine, spelt
from facemotion.scale.plan import Manifest, Part, Span
from facemotion.scale.starts import Starts
from facemotion.scale.writing import ERRORS, faces_columns, frames_columns, write_table
from facemotion.tables import Value, picture_values, video_values


@dataclass(frozen=True)
class Done:
    """A part that is written. starts: how often it was begun; 0 where it was there already."""

    number: int
    starts: int


@contextmanager
def _few_threads(count: int | None) -> Iterator[None]:
    """So many threads meanwhile. The process may be the caller's own, which gets back what it had."""
    opencv = cv2.getNumThreads()
    with limited_cpu_threads(count):
        cv2.setNumThreads(count or opencv)
        try:
            yield
        finally:
            cv2.setNumThreads(opencv)


class Worker:
    """Does parts of a job, each of which is written when `do` returns."""

    def __init__(self, job: Job) -> None:
        self._job, self._layout = job, job.layout
        with _few_threads(job.threads):
            self._recognizer = EmotionRecognizer.from_pretrained(job.weights, detector=job.detector, device=job.device)
        if fingerprint(self._recognizer.classifier.config) != job.fingerprint:
            raise WeightsError(f"{job.weights}: these are other weights on this machine than where the run was begun")
        self._manifest = Manifest(self._layout.manifest)

    def do(self, number: int) -> Done:
        """Do a part, unless it is written already."""
        part = self._manifest.part(number)
        if self._is_written(part):
            return Done(number, 0)
        note = Starts.next(self._layout.note(number))
        try:
            with _few_threads(self._job.threads):
                if part.span is None:
                    self._pictures(part, note)
                else:
                    self._clip(part.sources[0], number, part.span, note)
        except BaseException:  # Ctrl-C, too
            with suppress(FacemotionError):  # a disk that is full
                note.take_back()
            raise
        note.forget()
        return Done(number, note.count)

    def _is_written(self, part: Part) -> bool:
        if part.span is None:
            return self._layout.faces(part.number).exists()
        return self._layout.clip_done(part.span.first)

    def _pictures(self, part: Part, note: Starts) -> None:
        labels, job = self._recognizer.labels, self._job
        rows: list[list[Value]] = []
        errors: list[tuple[str, str]] = []
        for name, seen in look(part.sources, self._recognizer, job, note):
            if isinstance(seen, str):
                errors.append((name, seen))
            else:
                rows.extend(picture_values(name, seen, labels))
        if errors:
            self._write_errors(part.number, errors)
        else:
            # of an earlier start, which did not live to write the faces; what it could not read then is read now
            self._layout.errors(part.number).delete()
        # last, since the part is done once it is there
        write_table(self._layout.faces(part.number), faces_columns(labels), rows, job.format)

    def _clip(self, name: str, number: int, span: Span, note: Starts) -> None:
        if note.count > self._job.retries + 1:
            reason = f"the worker that read it ended {note.count - 1} times: too little memory, or a decoder's fault?"
            return self._write_errors(span.first, [(name, reason)])
        try:
            attempt(partial(self._read_clip, name, number, span), self._recognizer, self._job.retries)
        except FileFault as fault:
            self._write_errors(span.first, [(name, str(fault))])

    def _read_clip(self, name: str, number: int, span: Span) -> None:
        """Our segment of it; and whoever is the last to end one joins them."""
        with on_this_machine(self._job.path(name)) as clip:
            frames: Iterator[Frame] | None = None
            if span.count > 1:
                segments = [self._layout.segment(each) for each in range(span.first, span.first + span.count)]
                own = self._layout.segment(number)
                if not own.exists():
                    look_at_segment(clip, span.start, span.stop, self._recognizer, own)
                # from the end, since they are done in about their order: else each would look for all before it
                if not all(each.exists() for each in reversed(segments)):
                    return
                frames = join(clip, segments, self._recognizer.labels, self._job.smooth)
            if frames is None:
                frames = self._recognizer.stream(clip, smooth=self._job.smooth)
            labels = self._recognizer.labels
            rows = ([name, *values] for frame in frames for values in video_values(frame, labels))
            write_table(self._layout.frames(span.first), frames_columns(labels), rows, self._job.format)

    def _write_errors(self, number: int, errors: list[tuple[str, str]]) -> None:
        # a reason that begins with the path would say it twice
        rows = [[spelt(name), reason.removeprefix(f"{self._job.path(name)}: ")] for name, reason in errors]
        write_table(self._layout.errors(number), ERRORS, rows, self._job.format)
