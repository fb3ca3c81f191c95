"""The results of a camera as they come: a line whenever somebody comes, goes or looks different."""

from __future__ import annotations

import argparse
from contextlib import suppress

from facemotion import EmotionRecognizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", nargs="?", default="0", help="a camera's index, an address, or a clip")
    args = parser.parse_args()
    source = int(args.source) if args.source.isdecimal() else args.source

    recognizer = EmotionRecognizer.from_pretrained()
    last = None
    for frame in recognizer.stream(source):
        # frame.image are the pixels, and each face also has its box, landmarks and all scores
        now = {face.track_id: face.label for face in frame.faces}
        if now != last:
            people = ", ".join(f"person {face.track_id} {face.label} {face.score:.0%}" for face in frame.faces)
            print(f"{frame.time:8.2f} s  {people or 'nobody'}", flush=True)
            last = now


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # Ctrl-C is how one ends it
        main()
