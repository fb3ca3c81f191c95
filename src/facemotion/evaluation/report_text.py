"""A report in words: for a terminal, with the table that scikit-learn made familiar, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facemotion.evaluation.findings import Findings, Pipeline
    from facemotion.evaluation.leak import Leak
    from facemotion.evaluation.slices import Slicing

_COLUMNS = ("precision", "recall", "f1-score", "support")
PICTURES = {
    "confusion.png": "Confusion: share of each true label, with counts",
    "reliability.png": "Reliability: how often faces are right that the network is so sure of",
    "slices.png": "Accuracy by slice",
    "mistakes.png": "The mistakes of which the network was surest",
}
_WHETHER_TRAINED_ON = {
    True: "by its fingerprint this is what the weights were trained on",
    False: "by its fingerprint not just what the weights were trained on: other data, or a share of it chose the epoch",
    None: "the weights tell no fingerprint of what they were trained on",
}


def plain(report: Findings) -> str:
    """The report as text of fixed width."""
    lines = [f"{name + ':':<13} {value}" for name, value in _about(report)]
    lines += ["", *_table(report), "", *(f"{name}: {value}" for name, value in _figures(report))]
    for title, part in _parts(report):
        lines += ["", f"{title}:", *(f"  {line}" for line in part)]
    return "\n".join(lines)


def markdown(report: Findings, pictures: Iterable[str]) -> str:
    """The report as Markdown, with the pictures that lie beside it."""
    lines = ["# Evaluation", "", *_rows(("what", "value"), _about(report)), ""]
    lines += ["## Figures", "", *_rows(("figure", "value"), _figures(report)), ""]
    rows = [(label, *_cells(values)) for label, values in _class_rows(report)]
    lines += ["## Classes", "", *_rows(("label", *_COLUMNS), rows), ""]
    matrix = [
        (label, *(f"{count} ({count / max(sum(row), 1):.0%})" for count in row))
        for label, row in zip(report.labels, report.confusion.tolist(), strict=True)
    ]
    lines += ["## Confusion: counts, and shares of the row", "", *_rows(("truth \\ said", *report.labels), matrix), ""]
    for title, part in _parts(report):
        lines += [f"## {title}", "", *(f"- {line}" for line in part), ""]
    for name in pictures:
        lines += [f"## {PICTURES[name]}", "", f"![{PICTURES[name]}]({name})", ""]
    return "\n".join(lines)


def percent(value: float | None) -> str:
    """A share for people; a dash for what can't be computed."""
    return "-" if value is None else f"{value:.2%}"


def interval(bounds: tuple[float, float] | None) -> str:
    """An interval for people."""
    return "-" if bounds is None else f"{bounds[0]:.2%} to {bounds[1]:.2%}"


def _about(report: Findings) -> list[tuple[str, str]]:
    chosen = f"on {report.chosen_on}" if report.chosen_on else "not stated"
    if report.chosen_before:
        chosen += f", that of the weights it began from on {', '.join(report.chosen_before)}"
    if report.selected_split:
        chosen += f" - {'one of them' if report.chosen_before else 'the very split that'} is judged here"
    temperature = f", temperature {report.temperature:.3g}" if report.temperature != 1 else ""
    return [
        ("weights", f"{report.weights}{temperature}"),
        ("data", report.data),
        ("split", report.split or "none: all of the data"),
        ("label rule", report.label_rule or "the data's own labels"),
        ("labels", report.label_sets.said),
        ("epoch chosen", chosen),
        ("views", {"flip": "the face and its mirror image", "ten-crop": "ten crops"}.get(report.tta or "", "one")),
    ]


def _figures(report: Findings) -> list[tuple[str, str]]:
    return [
        ("faces", f"{report.count:,}"),
        ("accuracy", f"{percent(report.accuracy)} (95%: {interval(report.accuracy_ci95)}, Wilson)"),
        ("top-2 accuracy", percent(report.top2)),
        ("macro F1", number(report.macro_f1)),
        ("weighted F1", number(report.weighted_f1)),
        ("expected calibration error", f"{percent(report.ece)} ({len(report.reliability)} bins)"),
        ("log loss", number(report.log_loss)),
    ]


def _table(report: Findings) -> Iterator[str]:
    """As sklearn.metrics.classification_report lays it out."""
    rows = list(_class_rows(report))
    wide = max(len("weighted avg"), *(len(label) for label, _ in rows))
    yield f"{'':>{wide}} " + "".join(f" {name:>9}" for name in _COLUMNS)
    yield ""
    for number, (label, values) in enumerate(rows):
        if number == len(report.labels):
            yield ""
        yield f"{label:>{wide}} " + "".join(f" {cell:>9}" for cell in _cells(values))


def _class_rows(report: Findings) -> Iterator[tuple[str, tuple[Any, ...]]]:
    keys = ("precision", "recall", "f1", "support")
    for label in report.labels:
        yield label, tuple(report.per_class[label][key] for key in keys)
    yield "accuracy", ("", "", report.accuracy, report.count)
    classes = [values for values in report.per_class.values() if values["support"]]
    for title, key in (("macro avg", None), ("weighted avg", "support")):
        means = [
            _mean([each[name] for each in classes], [each[key] if key else 1 for each in classes]) for name in keys[:2]
        ]
        yield title, (*means, report.weighted_f1 if key else report.macro_f1, report.count)


def _mean(values: list[float | None], weights: list[int]) -> float | None:
    known = [value * weight for value, weight in zip(values, weights, strict=True) if value is not None]
    # a mean of only some of the classes would look like one of all
    return sum(known) / sum(weights) if known and len(known) == len(values) else None


def _cells(values: tuple[Any, ...]) -> list[str]:
    return [
        value if isinstance(value, str) else str(value) if isinstance(value, int) else _two(value) for value in values
    ]


def _two(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def number(value: float | None) -> str:
    """A figure between 0 and 1, or a loss, for people."""
    return "-" if value is None else f"{value:.4f}"


def _parts(report: Findings) -> Iterator[tuple[str, list[str]]]:
    """What is there only where it was asked for, or where something has to be said."""
    if report.pipeline is not None:
        yield "Photos", list(_pipeline_lines(report.pipeline))
    yield "Copies in the training data", list(_leak_lines(report.leak))
    for slicing in report.slices or ():
        yield f"Slices by {slicing.column}", list(_slice_lines(slicing))
    if report.mistakes:
        worst = [
            f"{each.probability:.1%} {each.said}, but it is {each.truth}: {each.place}" for each in report.mistakes[:5]
        ]
        yield "Mistakes of which the network was surest", worst
    if report.notes:
        yield "Notes", list(report.notes)


def _pipeline_lines(found: Pipeline) -> Iterator[str]:
    yield f"a face found (detector {found.detector}) in {found.with_face:,} of {found.photos:,} photos: " + (
        f"{percent(found.found_share)} (95%: {interval(found.found_ci95)})"
    )
    yield f"accuracy over the photos with a face: {percent(found.accuracy_found)}"
    yield f"accuracy over all photos: {percent(found.accuracy_all)} (95%: {interval(found.accuracy_all_ci95)})"


def _leak_lines(leak: Leak | None) -> Iterator[str]:
    if leak is None:
        yield "not looked for: name the training data"
        return
    where = f"{leak.training_data} {leak.training_split or ''}".strip()
    yield f"searched: {where}, {leak.training_count:,} faces"
    yield _WHETHER_TRAINED_ON[leak.is_what_was_trained_on]
    for title, count, rest in (
        ("exact", leak.exact, leak.without_exact),
        ("exact or near", leak.near, leak.without_near),
    ):
        yield f"{title} copies: {count:,}; accuracy without them {_share(rest)}"
    yield f"accuracy with them {_share(leak.accuracy)}"


def _share(figures: Mapping[str, Any]) -> str:
    return f"{percent(figures['accuracy'])} (95%: {interval(figures['ci95'])}, {figures['count']:,} faces)"


def _slice_lines(slicing: Slicing) -> Iterator[str]:
    wide = max(len(each.value) for each in slicing.slices)
    for each in slicing.slices:
        line = f"{each.value:<{wide}}  {percent(each.accuracy)} (95%: {interval(each.ci95)}, {each.count:,} faces)"
        if each.gap is not None and each.p_corrected is not None:
            line += f", {100 * each.gap:+.1f} points from the others, corrected p {each.p_corrected:.2g}"
        yield line + ("  <- a gap" if each.marked else "")
    if len(slicing.slices) == 1:
        yield "one value only: there is no gap to test"
    if slicing.without_value:
        yield f"{slicing.without_value:,} faces have no value"


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
