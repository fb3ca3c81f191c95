"""All networks that one graphics card trains together: teachers first, then those that learn from them.

    python train.py vgg FER2013 runs                # a list of JOBS, in some ten minutes on one NVIDIA H200
    python train.py vgg FER2013 runs --epochs 2     # the same with so few epochs each: does it run at all?

Each job is one `facemotion train`; it starts when the jobs that it stands on are done. Several run at once, since one
alone leaves a large card waiting. What each prints is in runs/NAME.log.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TENTH = "--split Training --set val_share=0.1"
BOTH = """--set 'second={labels="ferplus8", label_rule="soft", share=0.4}'"""
MANY = "--set batch_size=256 --set precision=bf16 --set threads=4 --set ema=0.998"
# what is done to the faces: much for large networks, a little less for those that go on from others
STRONG = (
    "--set 'augment={crop=0.8, widen=0.08, rotation=15, shift=0.06, brightness=0.3, contrast=0.3, sharpness=0.3, "
    "erasing=0.3, mixup=0.3, plain_epochs=8}'"
)
SMOOTH = "--set loss.label_smoothing=0.1"
LATER = STRONG.replace("mixup=0.3, plain_epochs=8", "mixup=0.2, plain_epochs=4")


@dataclass(frozen=True)
class Job:
    """A training: its name, epochs and options, and the jobs whose weights it needs."""

    name: str
    epochs: int
    options: str
    after: tuple[str, ...] = ()

    def command(self, data: Path, runs: Path, epochs: int | None) -> list[str]:
        options = self.options.replace("RUNS", str(runs))
        words = ["train", str(data), *shlex.split(options), "--set", f"epochs={epochs or self.epochs}"]
        return [*words, "--out", str(runs / self.name)]


def taught(names: tuple[str, ...], mix: float = 0.7) -> str:
    folders = ", ".join(f'"RUNS/{name}/best"' for name in names)
    return f"--set 'distill.teachers=[{folders}]' --set distill.mix={mix}"


SEVEN = ("seven-vgg", "seven-resnet", "seven-fast")
EIGHT = ("eight-vgg", "eight-resnet", "eight-fast")
BEST_OF_SEVEN = ("vgg16-7class", "seven-resnet", "seven-fast")
RESNET34 = "--set backbone=torchvision:resnet34 --set input.size=88"
WIDE = "--set 'backbone_args={width=4.0}'"
ALONE = "--set optimizer.lr=0.12 --set clip_grad=5 --set dropout=0.3"
FAST = (
    Job("seven-vgg", 45, f"--recipe vgg16-7class {TENTH} {MANY} {BOTH} {STRONG} {SMOOTH} --set optimizer.lr=0.05"),
    Job("seven-resnet", 45, f"--recipe fast-7class {TENTH} {MANY} {BOTH} {STRONG} {RESNET34} {ALONE}"),
    Job("seven-fast", 45, f"--recipe fast-7class {TENTH} {MANY} {BOTH} {STRONG} {WIDE} {ALONE}"),
    *(
        Job(
            eight,
            18,
            f"--recipe fast-8class {TENTH} {MANY} {LATER} --set init=RUNS/{seven}/best "
            f"--set optimizer.lr={lr} --set clip_grad=2 --set dropout={dropout}",
            (seven,),
        )
        for eight, seven, lr, dropout in zip(EIGHT, SEVEN, (0.02, 0.05, 0.05), (0.5, 0.3, 0.3), strict=True)
    ),
    Job(
        "vgg16-7class",
        18,
        f"--recipe vgg16-7class {TENTH} {MANY} {BOTH} {LATER} {SMOOTH} --set init=RUNS/seven-vgg/best "
        f"--set optimizer.lr=0.03 --set dropout=0.4 {taught(SEVEN)}",
        SEVEN,
    ),
    Job(
        "fast-7class-first",
        105,
        f"--recipe fast-7class {MANY} {BOTH} --set optimizer.lr=0.15 {taught(BEST_OF_SEVEN)}",
        ("vgg16-7class",),
    ),
    Job("fast-8class-first", 105, f"--recipe fast-8class {MANY} --set optimizer.lr=0.15 {taught(EIGHT)}", EIGHT),
    Job("resnet50-5class", 38, f"--recipe resnet50-5class {MANY} {taught(EIGHT)}", EIGHT),
)


# long trainings on little changed faces, as the recipes of the VGG16s have it
PART = "--split Training --set val_share=0.05 --set best=last --set precision=bf16 --set threads=2"


def little(noise: float, crop: float = 0.87) -> str:
    return (
        f"--set 'augment={{crop={crop}, widen=0.08, rotation=12, shift=0.05, brightness=0.2, contrast=0.2, "
        f"sharpness=0.4, noise={noise}, erasing=0.25}}'"
    )


LIKE_VGG = "--set batch_size=512 --set ema=0.997 --set loss.label_smoothing=0.05 --set clip_grad=5 --set dropout=0.3"
CLEAN, GRAINY = f"{LIKE_VGG} {little(0)}", f"{LIKE_VGG} {little(0.015)}"
SMALLER = "--set backbone=torchvision:resnet34 --set input.size=80"
LEARNT = f"--set init=RUNS/seven-vgg/best --set optimizer.lr=0.05 --set dropout=0.4 {taught(SEVEN, 0.8)}"
VGG = (
    Job("seven-vgg", 135, f"--recipe vgg16-7class {PART} {BOTH}"),
    Job("seven-resnet", 135, f"--recipe fast-7class {PART} {BOTH} {CLEAN} {SMALLER} --set optimizer.lr=0.2"),
    Job("seven-fast", 135, f"--recipe fast-7class {PART} {BOTH} {GRAINY} {WIDE} --set optimizer.lr=0.25"),
    Job("vgg16-7class", 45, f"--recipe vgg16-7class {PART} {BOTH} {LEARNT}", SEVEN),
    Job("vgg16-5class", 40, f"--recipe vgg16-5class {PART} {LEARNT}", SEVEN),
)

# the `fast` networks from random weights, taught by `vgg16-7class` as it ships and by two more, in batches of 1,024
LARGE = "--set batch_size=1024 --set ema=0.995"
VOTES = f"{LARGE} --set ema=0.99 --set loss.label_smoothing=0 --set optimizer.lr=0.08"
BY_SEVEN = taught(SEVEN, 0.85).replace("RUNS/seven-vgg/best", "vgg16-7class")
BY_EIGHT = taught(EIGHT, 0.85)
STUDENT = (
    "--set batch_size=1024 --set ema=0.996 --set precision=bf16 --set threads=3 --set clip_grad=5 "
    f"--set optimizer.lr=0.3 {little(0.025, 0.85)}"
)
HEAD = "--set 'freeze=[\"backbone\"]' --set init=vgg16-7class --set batch_size=256 --set ema=0.99 --set dropout=0.3"
TAUGHT = (
    Job("seven-resnet", 120, f"--recipe fast-7class {PART} {BOTH} {CLEAN} {SMALLER} {LARGE} --set optimizer.lr=0.3"),
    Job("seven-fast", 120, f"--recipe fast-7class {PART} {BOTH} {GRAINY} {WIDE} {LARGE} --set optimizer.lr=0.35"),
    Job("eight-vgg", 4, f"--recipe fast-8class {PART} {HEAD} {little(0.015)} --set optimizer.lr=0.02"),
    Job(
        "eight-resnet",
        18,
        f"--recipe fast-8class {PART} --set init=RUNS/seven-resnet/best {CLEAN} {VOTES}",
        ("seven-resnet",),
    ),
    Job(
        "eight-fast",
        18,
        f"--recipe fast-8class {PART} --set init=RUNS/seven-fast/best {GRAINY} {VOTES}",
        ("seven-fast",),
    ),
    Job(
        "fast-7class",
        190,
        f"--recipe fast-7class {BOTH} {STUDENT} --set loss.label_smoothing=0.05 {BY_SEVEN}",
        SEVEN[1:],
    ),
    Job("fast-8class", 190, f"--recipe fast-8class {STUDENT} {BY_EIGHT}", EIGHT),
    Job(
        "resnet50-5class",
        30,
        "--recipe resnet50-5class --set init=before/resnet50-5class --set batch_size=512 --set precision=bf16 "
        f"--set threads=3 --set ema=0.997 --set optimizer.lr=4e-3 --set loss.label_smoothing=0 {little(0.03)} "
        f"{BY_EIGHT}",
        EIGHT,
    ),
)
JOBS = {"fast": FAST, "vgg": VGG, "taught": TAUGHT}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", choices=JOBS)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--epochs", type=int, help="of each job, to see whether it runs")
    parser.add_argument("--at-once", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="these jobs alone")
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    jobs = [job for job in JOBS[options.jobs] if not options.only or job.name in options.only]
    raise SystemExit(run(jobs, options))


def run(jobs: list[Job], options: argparse.Namespace) -> int:
    """Every job once, as many at once as asked for, in the order of the list where there is a choice."""
    started = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - started:4.0f} s  {text}", flush=True)

    waiting, running, done, failed = list(jobs), dict[str, subprocess.Popen[bytes]](), set[str](), set[str]()
    names = {job.name for job in jobs}
    # the threads of several trainings would only be in each other's way
    environment = os.environ | {"OMP_NUM_THREADS": "4"}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while waiting or running:
            for job in [each for each in waiting if failed & set(each.after)]:
                waiting.remove(job)
                failed.add(job.name)
            ready = [job for job in waiting if names & set(job.after) <= done]
            for job in ready[: options.at_once - len(running)]:
                waiting.remove(job)
                command = job.command(options.data, options.runs, options.epochs)
                tell(f"{job.name}: {shlex.join(['facemotion', *command])}")
                with (options.runs / f"{job.name}.log").open("ab") as log:
                    running[job.name] = subprocess.Popen(
                        [sys.executable, "-m", "facemotion", *command], stdout=log, stderr=log, env=environment
                    )
            time.sleep(0.2)
            for name, process in list(running.items()):
                if process.poll() is not None:
                    del running[name]
                    (failed if process.returncode else done).add(name)
                    last = (options.runs / f"{name}.log").read_text("utf-8").strip().splitlines()[-2:]
                    tell(f"{name}: exit {process.returncode}: {' / '.join(last)}")
    finally:  # stopped: they save what they have, and the same command goes on
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()
    return bool(failed)


if __name__ == "__main__":
    main()
