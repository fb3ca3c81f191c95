"""How long does a cold process take to be of use, and how much memory: ours against fer?

    python benchmarks/start.py [--fer-python PATH] [--rounds 7] [--json FILE]

Every command is a process of its own, from its start to its end; the files that it reads are in the system's cache
after a first round that is not counted. Milliseconds beyond a bare Python are what the library itself takes.
"""

from __future__ import annotations

import statistics
import sys

from measuring import ASTRONAUT, Command, in_turn, machine, options, report

FER = "from fer.fer import FER"
FER_PREDICT = f"{FER}; import cv2; print(FER().detect_emotions(cv2.imread({str(ASTRONAUT)!r})))"
WITHOUT = (
    f"import sys; sys.modules['onnxruntime'] = None; sys.argv = ['facemotion', 'predict', {str(ASTRONAUT)!r}]; "
    "from facemotion.cli.main import main; main()"
)


def main() -> None:
    arguments = options(__doc__, rounds=7, other=True)
    python, picture = sys.executable, str(ASTRONAUT)
    commands = {
        "python": Command(python, "-c", "pass"),
        "import facemotion": Command(python, "-c", "import facemotion"),
        "facemotion --help": Command(python, "-m", "facemotion", "--help"),
        "facemotion predict one.jpg": Command(python, "-m", "facemotion", "predict", picture),
        "the same without onnxruntime": Command(python, "-c", WITHOUT),
    }
    if arguments.fer_python:
        commands["python of fer's environment"] = Command(arguments.fer_python, "-c", "pass")
        commands["from fer.fer import FER"] = Command(arguments.fer_python, "-c", FER)
        commands["fer, one.jpg"] = Command(arguments.fer_python, "-c", FER_PREDICT)
    in_turn(commands, 1)
    taken = in_turn(commands, arguments.rounds)
    bare = statistics.median(taken["python"])
    rows = [
        {
            "command": name,
            "ms": 1000 * statistics.median(values),
            "beyond python, ms": 1000 * (statistics.median(values) - bare),
            "best ms": 1000 * min(values),
            "peak memory, MB": commands[name].megabytes,
        }
        for name, values in taken.items()
    ]
    report(f"Cold processes, {arguments.rounds} rounds in turn", machine(arguments.threads), rows, arguments.json)


if __name__ == "__main__":
    main()
