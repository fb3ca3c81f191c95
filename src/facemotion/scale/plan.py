"""The manifest: which inputs there are, in parts that are done and written one by one.

It is a Parquet file with a row group a part, so that whoever does a part reads that part alone, and nobody holds the
list of all inputs in memory.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import BinaryIO

from facemotion.data.clips import is_clip
from facemotion.scale.arrow import pyarrow
from facemotion.scale.places import Place, is_url, spelt, split_options
from facemotion.video.frames import clip_info

# names as bytes, since not all of them are text
_SCHEMA = pyarrow.schema([("source", pyarrow.binary()), ("span", pyarrow.string())])

# a clip that tells of fewer frames a second is not believed
_LOWEST_FPS = 0.1
# of one clip: a week in parts of a minute
_MOST_PARTS = 10_000


@dataclass(frozen=True)
class Span:
    """Which part of a clip a part is. first: the number of the clip's first part; count: how many parts it has.

    start, stop: seconds as the file tells them. images: about how many frames that is.
    """

    first: int
    index: int
    count: int
    start: float
    stop: float
    images: int


@dataclass(frozen=True)
class Part:
    """What is done at once by one worker: some pictures, or a span of one clip."""

    number: int
    sources: list[str]
    span: Span | None = None


@dataclass(frozen=True)
class Extent:
    """How much a manifest holds. images: of each part the pictures or, about, the frames. digest: of every name.

    tables: of each part the number that its tables are named after, which for all parts of a clip is the first one's.
    """

    inputs: int
    images: list[int]
    tables: list[int]
    digest: str


def make_parts(inputs: Iterable[str], pictures: int, seconds: float) -> Iterator[Part]:
    """Parts of at most so many pictures, and of clips about so many seconds.

    A clip whose name no table can hold goes with the pictures, where that is told of.
    """
    number = 0
    for clips, names in groupby(inputs, lambda name: is_clip(Path(split_options(name)[0])) and spelt(name) == name):
        if clips:
            for name in names:
                for span in _spans(name, number, seconds):
                    yield Part(number, [name], span)
                    number += 1
        else:
            while chunk := list(islice(names, pictures)):
                yield Part(number, chunk)
                number += 1


def write_manifest(parts: Iterable[Part], file: BinaryIO) -> Extent:
    """Write the parts as they come."""
    inputs, images, tables, digest = 0, [], [], hashlib.sha256()
    with pyarrow.parquet.ParquetWriter(file, _SCHEMA, use_dictionary=False, write_statistics=False) as writer:
        for part in parts:
            span = None if part.span is None else json.dumps(asdict(part.span))
            names = [name.encode("utf-8", "surrogatepass") for name in part.sources]
            columns = [names, [span] * len(part.sources)]
            writer.write_table(pyarrow.table(columns, schema=_SCHEMA), row_group_size=len(part.sources))
            digest.update(json.dumps([part.sources, span]).encode())
            if part.span is None or part.span.index == 0:
                inputs += len(part.sources)
            images.append(len(part.sources) if part.span is None else part.span.images)
            tables.append(part.number if part.span is None else part.span.first)
    return Extent(inputs, images, tables, digest.hexdigest())


class Manifest:
    """The parts that were written, by their numbers."""

    def __init__(self, place: Place) -> None:
        self._file = pyarrow.parquet.ParquetFile(place.open())

    def part(self, number: int) -> Part:
        rows = self._file.read_row_group(number).to_pydict()
        span = rows["span"][0]
        names = [name.decode("utf-8", "surrogatepass") for name in rows["source"]]
        return Part(number, names, None if span is None else Span(**json.loads(span)))


def _spans(name: str, number: int, seconds: float) -> Iterator[Span]:
    """A clip's spans; one alone where its length is not known."""
    frames, length = _extent(name)
    count = min(max(round(length / seconds), 1), _MOST_PARTS)
    for index in range(count):
        start = -math.inf if index == 0 else index * length / count
        stop = math.inf if index == count - 1 else (index + 1) * length / count
        images = (index + 1) * frames // count - index * frames // count
        yield Span(number, index, count, start, stop, max(images, 1))


def _extent(name: str) -> tuple[int, float]:
    """How many frames and seconds a clip says that it has; none where it does not say, or can't be believed."""
    if is_url(name):  # fetched as a whole by whoever reads it
        return 0, 0.0
    try:
        info, size = clip_info(name), Path(name).stat().st_size
    except OSError:  # a VideoError mostly: whoever is to read it says what is wrong with it
        return 0, 0.0
    frames = info.frames or 0
    # a header can say anything, but a frame takes a byte at least
    if frames > size or info.fps < _LOWEST_FPS:
        return 0, 0.0
    return frames, frames / info.fps
