"""The section of a model card: figures, intervals and the verdict, between markers so that it can be replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit import safe
from evalkit.exporting.figures import ExportedFigure

if TYPE_CHECKING:
    from evalkit.exporting.parcel import Parcel

__all__ = ["BEGIN", "END", "card_section", "with_section"]

BEGIN, END = "<!-- evalkit:begin -->", "<!-- evalkit:end -->"
_VERDICTS = {"pass": "PASS", "regression": "REGRESSION", "cannot_tell": "CANNOT TELL"}


def card_section(parcel: Parcel) -> str:
    manifest = parcel.run.record.manifest
    engine = "" if manifest.engine is None else f", engine {safe.markdown(str(manifest.engine.name))}"
    lines = [
        BEGIN,
        "## Evaluation",
        "",
        f"Measured with evalkit {safe.markdown(str(manifest.evalkit))}{engine}; intervals are 95%.",
    ]
    if parcel.run.status != "complete":
        lines += ["", f"**{parcel.run.status.upper()}**: these figures do not cover every document."]
    lines += ["", "| task | metric | shots | value | 95% interval | documents |", "|---|---|---:|---:|---|---:|"]
    lines += [_row(figure) for figure in parcel.headlines]
    if parcel.evidence is not None:
        verdict = parcel.evidence.verdict
        lines += [
            "",
            f"Against {safe.markdown(parcel.evidence.baseline.label)}: **{_VERDICTS[verdict.verdict]}**"
            f" over {len(verdict.tasks)} tasks.",
        ]
    return "\n".join([*lines, END]) + "\n"


def with_section(card: str, section: str) -> str:
    """The card with the section in place of an older one, else at its end."""
    before, begin, rest = card.partition(BEGIN)
    if begin:
        _, end, after = rest.partition(END)
        if end:
            return before + section.rstrip("\n") + after
    return (card.rstrip("\n") + "\n\n" if card.strip() else "") + section


def _row(figure: ExportedFigure) -> str:
    value = "unknown" if figure.value is None else repr(figure.value)
    interval = "" if figure.low is None or figure.high is None else f"{figure.low:.4f} – {figure.high:.4f}"
    cells = (
        safe.markdown(figure.task),
        safe.markdown(figure.name),
        "" if figure.num_fewshot is None else str(figure.num_fewshot),
        value,
        interval,
        "" if figure.n is None else f"{figure.n:,}",
    )
    return f"| {' | '.join(cells)} |"
