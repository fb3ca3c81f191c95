"""Two or more networks on the same labelled faces: a report of each, and whether chance explains their difference."""

from __future__ import annotations

import argparse
from pathlib import Path

from facemotion.evaluation import compare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="anything that facemotion.read_data reads")
    parser.add_argument("out", type=Path, help="where the reports go")
    parser.add_argument("weights", nargs="+", help="names of `facemotion weights list`, or weights folders")
    parser.add_argument("--split")
    parser.add_argument("--label-rule")
    args = parser.parse_args()

    comparison = compare(args.weights, args.data, split=args.split, label_rule=args.label_rule)
    for name, report in zip(comparison.names, comparison.reports, strict=True):
        report.save(args.out / name.replace("/", "-"))
    print(comparison)


if __name__ == "__main__":
    main()
