"""The whole recipe, from the pictures to the ONNX file.

python run.py --assets ASSETS --cache CACHE --out OUT
python run.py --assets ASSETS --cache CACHE --out OUT --quick     # a minute: tries every step, learns nothing
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def script(name: str, *arguments: object) -> None:
    """Run one of the scripts beside this one, showing its command."""
    words = [str(HERE / f"{name}.py"), *map(str, arguments)]
    print("$ python", *words, flush=True)
    subprocess.run([sys.executable, *words], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="a folder for what is made on the way, 7 GB")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="a minute on few pictures")
    options = parser.parse_args()
    few = ["--few"] if options.quick else []
    where = ["--assets", options.assets, "--cache", options.cache]
    first, second = options.out / "first", options.out / "second"
    frames = (64, 32) if options.quick else (40000, 20000)
    steps = (4, 4) if options.quick else (6000, 6000)
    (options.cache / "hard.npy").unlink(missing_ok=True)

    script("frames", *where, "--frames", frames[0], *few)
    script("train", "--cache", options.cache, "--out", first, "--steps", steps[0])
    script("export", first / "last.pt", first / "mini.onnx")
    # What fools the first network is shown more often to the second.
    script("mine", *where, "--weights", first / "mini.onnx", *few)
    script("frames", *where, "--frames", frames[1], "--name", "train2", "--seed", 1, *few)
    again = ["--rate", 0.0012, "--resume", first / "last.pt"]
    script("train", "--cache", options.cache, "--out", second, "--steps", steps[1], *again)
    script("export", second / "last.pt", second / "mini.onnx")
    script("evaluate", *where, "--weights", second / "mini.onnx", "--side", "choose", "--sweep", *few)


if __name__ == "__main__":
    main()
