"""Ratings from games as a page: the table, and the win rates between the models as a coloured matrix."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from evalkit.ranking.arena import Arena
from evalkit.reporting import arena_view

__all__ = ["as_html", "as_svg"]

_CELL, _LEFT, _TOP = 52, 190, 130
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:#1b1b1b;background:#fff}"
    "table{border-collapse:collapse}th,td{padding:.25rem .7rem;text-align:left;border-bottom:1px solid #ddd}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}svg{max-width:100%;height:auto;margin-top:1.5rem}"
    "svg text{font:12px system-ui,sans-serif;fill:#1b1b1b}"
    "@media(prefers-color-scheme:dark){body{background:#151515;color:#eee}svg .name{fill:#eee}th,td{border-color:#444}}"
)


def as_svg(arena: Arena) -> str:
    """The share of points of each model (row) in its games against each other one (column), best model first."""
    names = [standing.model for standing in arena.standings]
    width, height = _LEFT + _CELL * len(names) + 10, _TOP + _CELL * len(names) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img"'
        ' aria-label="Win rates of each model against each other one">'
    ]
    for number, name in enumerate(names):
        middle = _TOP + number * _CELL + _CELL / 2
        short = escape(name if len(name) <= 26 else f"{name[:25]}…")
        full = escape(name)
        parts.append(
            f'<text class="name" x="{_LEFT - 8}" y="{middle + 4}" text-anchor="end">{short}<title>{full}</title></text>'
        )
        across = _LEFT + number * _CELL + _CELL / 2
        parts.append(
            f'<text class="name" x="{across}" y="{_TOP - 8}" transform="rotate(-40 {across} {_TOP - 8})">{short}'
            f"<title>{full}</title></text>"
        )
    for i, name in enumerate(names):
        for j, other in enumerate(names):
            share = arena.scores.get((name, other))
            x, y = _LEFT + j * _CELL, _TOP + i * _CELL
            if name == other or share is None:
                parts.append(f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" fill="#bbb" fill-opacity=".25"/>')
                continue
            parts.append(
                f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" fill="{_colour(share)}" stroke="#fff">'
                f"<title>{escape(name)} against {escape(other)}: {share:.1%}</title></rect>"
                f'<text x="{x + _CELL / 2}" y="{y + _CELL / 2 + 4}" text-anchor="middle">{share:.0%}</text>'
            )
    return "".join([*parts, "</svg>"])


def as_html(arena: Arena) -> str:
    """A page in one file, without scripts and without links to other files."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    head, rows, notes = arena_view.cells(arena)
    table = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    body = "".join(
        "<tr>"
        + "".join(f"<td{'' if n == 1 else ' class=n'}>{escape(cell)}</td>" for n, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Arena</title>'
        f"<style>{_STYLE}</style></head><body><h1>Arena</h1><table><thead><tr>{table}</tr></thead>"
        f"<tbody>{body}</tbody></table>{as_svg(arena)}<ul>{listed}</ul></body></html>\n"
    )


def _colour(share: float) -> str:
    """From red (loses) over white to blue (wins), light enough for dark text."""
    strength = min(abs(share - 0.5) * 2, 1.0)
    weak = round(255 - 110 * strength)
    return f"rgb({weak},{round(255 - 60 * strength)},255)" if share >= 0.5 else f"rgb(255,{weak},{weak})"
