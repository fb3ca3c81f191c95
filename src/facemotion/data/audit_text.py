"""An audit in words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facemotion.data.audit import Audit, Copies

_BAR = 24
_SHOWN = 10


def describe(audit: Audit) -> str:
    """The audit as text: a table with bars, then what was found."""
    rule = f", labels by {audit.label_rule}" if audit.label_rule else ""
    lines = [f"{audit.source}: {len(audit.samples):,} faces{rule}", "", *_table(audit), ""]
    sizes = [f"{size} ({count:,})" for size, count in list(audit.sizes.items())[:5]]
    more = f" and {len(audit.sizes) - 5} more sizes" if len(audit.sizes) > 5 else ""
    lines.append(f"sizes: {', '.join(sizes)}{more}; {audit.grey:,} without colour")
    lines.append(f"imbalance: the largest class has {audit.imbalance:.1f} times the samples of the smallest")
    lines += _listed("blank pictures", audit.blank)
    lines += _listed("left out", audit.faults)
    lines += _copies("exact copies", audit.exact)
    lines += _copies("near copies, the exact ones counted too", audit.near)
    return "\n".join(lines)


def _table(audit: Audit) -> Iterator[str]:
    splits = list(audit.counts)
    labels = list(audit.samples.labels)
    totals = {label: sum(audit.counts[split][label] for split in splits) for label in labels}
    wide = max(map(len, [*labels, "all"]))
    widths = [max(len(split), 8) for split in splits]
    head = "  ".join(f"{split:>{width}}" for split, width in zip(splits, widths, strict=True))
    yield f"{'':{wide}}  {head}  {'all':>8}"
    most = max(totals.values(), default=0) or 1
    for label in labels:
        cells = [f"{audit.counts[split][label]:>{width},}" for split, width in zip(splits, widths, strict=True)]
        bar = "#" * round(_BAR * totals[label] / most)
        yield f"{label:{wide}}  {'  '.join(cells)}  {totals[label]:>8,}  {bar}".rstrip()
    sums = [f"{sum(audit.counts[split].values()):>{width},}" for split, width in zip(splits, widths, strict=True)]
    yield f"{'all':{wide}}  {'  '.join(sums)}  {sum(totals.values()):>8,}"


def _listed(title: str, places: Sequence[str]) -> list[str]:
    lines = [f"{title}: {len(places):,}"]
    lines += [f"  {place}" for place in places[:_SHOWN]]
    return lines + ([f"  ... and {len(places) - _SHOWN:,} more"] if len(places) > _SHOWN else [])


def _copies(title: str, copies: Copies) -> list[str]:
    lines = [f"{title}: {copies.extra:,} more than there need be, in groups: {copies.groups:,}"]
    if copies.in_training is not None:
        lines.append(f"  outside the training split with a copy in it: {copies.in_training:,}")
    for split, others in copies.across.items():
        lines += [f"  {count:,} of {split} have a copy in {other}" for other, count in others.items() if count]
    lines.append(f"  groups that disagree about the label: {copies.disagree:,}")
    lines += [f"    {' = '.join(example)}" for example in copies.examples[:3]]
    return lines
