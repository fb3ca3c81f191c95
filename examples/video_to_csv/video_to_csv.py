"""A table of a video: a row for each person and second, with how long the face was seen and the mean of every score."""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

from facemotion import EmotionRecognizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip")
    parser.add_argument("table", type=Path)
    args = parser.parse_args()

    recognizer = EmotionRecognizer.from_pretrained()
    labels = list(recognizer.labels)
    with args.table.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["second", "person", "frames", "frames_with_face", *labels])
        frames, second, seen = 0, 0, defaultdict(list)
        for frame in recognizer.stream(args.clip):
            if int(frame.time) != second:
                write_second(table, second, frames, seen, labels)
                frames, second, seen = 0, int(frame.time), defaultdict(list)
            frames += 1
            for face in frame.faces:
                seen[face.track_id].append(face.scores)
        write_second(table, second, frames, seen, labels)


def write_second(table, second: int, frames: int, seen: dict, labels: list[str]) -> None:
    """A row for each person; a second in which nobody was seen keeps a row too."""
    for person, scores in sorted(seen.items()):
        means = [sum(each[label] for each in scores) / len(scores) for label in labels]
        table.writerow([second, person, frames, len(scores), *(f"{mean:.4f}" for mean in means)])
    if frames and not seen:
        table.writerow([second, "", frames, 0, *[""] * len(labels)])


if __name__ == "__main__":
    main()
