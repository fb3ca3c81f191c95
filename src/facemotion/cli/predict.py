"""`facemotion predict`: the emotions of every face in pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facemotion.cli.recognition import (
    csv_option,
    folder_option,
    identity,
    load_recognizer,
    quiet_opencv,
    recognizer_options,
    refuse_to_overwrite,
)
from facemotion.cli.streams import shown, tell, tell_fault

if TYPE_CHECKING:
    from facemotion.cli.pictures import Picture
    from facemotion.cli.tables import Table
    from facemotion.recognizer import EmotionRecognizer
    from facemotion.results import FaceEmotion, Pixels

# how many pictures are looked at together
_TOGETHER = 16
_LONGEST_NAME = 60


@click.command(epilog="Example: facemotion predict party.jpg photos/ --csv faces.csv --annotate annotated/")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@recognizer_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a picture, one a line.")
@csv_option("Write a table: a row a face.")
@folder_option("--annotate", "Write the pictures with boxes, labels and scores.")
@folder_option("--crops", "Write the faces as the network saw them.")
def predict(
    images: tuple[str, ...],
    weights: str,
    detector: str,
    device: str,
    as_json: bool,
    csv_file: Path | None,
    annotate: Path | None,
    crops: Path | None,
) -> int:
    """Show the emotions of every face in pictures: files, folders and patterns such as 'photos/*.jpg'.

    A picture that can't be read is reported, the rest is done, and the exit code is 1.
    """
    quiet_opencv()
    from facemotion.cli.pictures import find_pictures, refuse_to_replace
    from facemotion.cli.tables import Table
    from facemotion.tables import picture_columns

    pictures, faults = find_pictures(images, [folder for folder in (annotate, crops) if folder])
    annotated = [("--annotate", picture.annotated(annotate)) for picture in pictures] if annotate else []
    refuse_to_overwrite((picture.path for picture in pictures), [("--csv", csv_file), *annotated])
    for option, path in annotated:
        refuse_to_replace(option, path)
    for fault in faults:
        tell_fault(fault, str(fault))
    if not pictures:
        return 1
    recognizer = load_recognizer(weights, detector, device)
    with ExitStack() as stack:
        table = stack.enter_context(Table(csv_file, picture_columns(recognizer.labels))) if csv_file else None
        results = _Results(recognizer, pictures, as_json, table, annotate, crops)
        return 1 if results.run() or faults else 0


class _Results:
    """Every picture through the recognizer, and what comes of it to where it was asked for."""

    def __init__(
        self,
        recognizer: EmotionRecognizer,
        pictures: Sequence[Picture],
        as_json: bool,
        table: Table | None,
        annotate: Path | None,
        crops: Path | None,
    ) -> None:
        from facemotion.cli.pictures import older_crops, refuse_to_replace

        self._recognizer, self._pictures, self._as_json = recognizer, pictures, as_json
        self._table, self._annotate, self._crops = table, annotate, crops
        self._writes = any((table, annotate, crops))
        self._inputs = {identity(picture.path) for picture in pictures} - {None}
        self._drawn = {picture.annotated(annotate).resolve() for picture in pictures} if annotate else set()
        self._older, others = older_crops(crops, pictures, recognizer.labels) if crops else ({}, [])
        for path in others:
            if identity(path) not in self._inputs:  # those may have other names than the crops will
                refuse_to_replace("--crops", path)
        longest = max(len(shown(str(picture.path))) for picture in pictures)
        label = max(map(len, recognizer.labels))
        self._line = f"{{:<{min(longest, _LONGEST_NAME)}}}  {{:>4}}  {{:<{max(label, 7)}}}  {{:>5}}  {{}}"

    def run(self) -> int:
        """Gives how many pictures could not be read."""
        from facemotion.many_images import in_chunks

        self._bad = 0
        if not self._as_json:
            self._tell(self._line.format("SOURCE", "FACE", "LABEL", "SCORE", "BOX"))
        for chunk in in_chunks(self._readable(), _TOGETHER, lambda pair: pair[1].size):
            found = self._recognizer.predict_batch([image for _, image in chunk])
            for (picture, image), faces in zip(chunk, found, strict=True):
                self._give(picture, image, faces)
        return self._bad

    def _tell(self, line: str) -> None:
        tell(line, go_on=self._writes)

    def _readable(self) -> Iterator[tuple[Picture, Pixels]]:
        from facemotion.devices import cpu_threads
        from facemotion.errors import ImageError
        from facemotion.many_images import read_ahead

        futures = read_ahead((picture.path for picture in self._pictures), cpu_threads())
        for picture, future in zip(self._pictures, futures, strict=True):
            try:
                yield picture, future.result()
            except ImageError as error:
                self._bad += 1
                tell_fault(error, str(error))

    def _give(self, picture: Picture, image: Pixels, faces: Sequence[FaceEmotion]) -> None:
        from facemotion.cli.pictures import save_picture
        from facemotion.cli.tables import picture_json
        from facemotion.drawing import draw
        from facemotion.tables import picture_rows

        source = str(picture.path)
        if self._as_json:
            self._tell(picture_json(source, image, faces))
        else:
            for number, face in enumerate(faces, start=1):
                box = " ".join(f"{value:.0f}" for value in face.box)
                self._tell(self._line.format(shown(source), number, face.label, f"{face.score:.0%}", box))
            if not faces:
                self._tell(self._line.format(shown(source), "-", "no face", "", "").rstrip())
        if self._table:
            self._table.add(picture_rows(source, faces, self._recognizer.labels))
        if self._annotate:
            save_picture(picture.annotated(self._annotate), draw(image, faces))
        if self._crops:
            self._write_crops(self._crops, picture, image, faces)

    def _write_crops(self, folder: Path, picture: Picture, image: Pixels, faces: Sequence[FaceEmotion]) -> None:
        from facemotion.cli.pictures import crop_comment, crop_name, picture_digest, save_picture
        from facemotion.crops import cut
        from facemotion.errors import FacemotionError

        digest, written = picture_digest(picture.path), set()
        crops = cut(image, faces, self._recognizer.crop_spec)
        for number, (face, crop) in enumerate(zip(faces, crops, strict=True), start=1):
            path = folder / crop_name(picture.name, number, face.label)
            if identity(path) in self._inputs:
                raise FacemotionError(f"--crops would write over {path}, which is to be read; name another place")
            if path.resolve() in self._drawn:
                raise FacemotionError(f"--crops would write over {path}, as --annotate does; name another place")
            save_picture(path, crop, crop_comment(path.name, digest))
            written.add(path)
        # its faces may have had other labels; once, since a picture that is named twice has crops of two names
        for path in self._older.pop(digest, []):
            if path not in written and identity(path) not in self._inputs:
                path.unlink(missing_ok=True)
