"""Text from outside, made safe for the place where it is shown.

Model answers, names, error texts of servers and notes may hold anything. Each place has its own dangers: a terminal
obeys escape sequences, markdown has tags and columns, a spreadsheet runs formulas, XML forbids some characters.

terminal   text of several lines on a terminal
line       the same on one line
markdown   one line or table cell of markdown
code       inline code in markdown
fenced     a code block in markdown
csv_cell   a cell of a CSV file
xml        text or an attribute of XML
"""

from __future__ import annotations

import os
import re

__all__ = ["code", "csv_cell", "fenced", "line", "markdown", "terminal", "xml"]

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
"""C0 and C1 controls but tab and line feed, marks that turn the direction of text, line separators, half characters,
and the invisible letters of Unicode's tags."""

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n")
"""How a cell begins that a spreadsheet may run; full-width signs count in Korean, Japanese and Chinese settings."""

_AFTER_A_MARK = re.compile("([;\t] *)(?=[=+@\uff1d\uff0b\uff20-])|(\n *)(?=[=@\uff1d\uff20])")
"""Where a spreadsheet that takes semicolons or tabs for commas begins another cell, with a formula."""
_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=\bwww)(?=\.)", re.IGNORECASE)
"""Where an address is broken up, which a page would turn into a link."""

_MARKDOWN = str.maketrans(
    {"\\": "\\\\", "&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "\\|", "`": "'", "*": "\\*", "\x0b": " "}
)


_COMMAND = re.compile(r"^(\s*:):|(##)\[", re.MULTILINE)
"""What GitHub's runner obeys in the log of a job: `::` at the beginning of a line, `##[` anywhere."""


def terminal(text: str) -> str:
    """The text with every control character written out: ESC becomes the four characters `\\x1b`.

    In a job of GitHub Actions, what its runner would obey is broken up by a blank.
    """
    shown = _CONTROL.sub(_written_out, text.replace("\r\n", "\n"))
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return shown
    return _COMMAND.sub(lambda match: f"{match[1]} :" if match[1] else "## [", shown)


def line(text: str) -> str:
    """The text on one line, controls written out."""
    return " ".join(terminal(text).split())


def markdown(text: str) -> str:
    """The text on one line of markdown: it opens no column, tag, link or code, and mentions nobody."""
    named = re.sub(r"(?<!\w)@(?=\w)", "@\u200b", text)
    return _ADDRESS.sub("\u200b", line(named).translate(_MARKDOWN).replace("](", "]\\("))


def code(text: str) -> str:
    """The text between the backticks of inline code, also in a table cell."""
    return line(text).replace("`", "'").replace("|", "\\|")


def fenced(text: str) -> str:
    """A code block whose fence is longer than any in the text."""
    shown = terminal(text)
    fence = "```"
    while fence in shown:
        fence += "`"
    return f"{fence}text\n{shown}\n{fence}"


def csv_cell(cell: object) -> object:
    """The cell for a spreadsheet: controls written out, and an apostrophe before what would be run as a formula."""
    if not isinstance(cell, str):
        return "" if cell is None else cell
    text = _CONTROL.sub(lambda match: "\r" if match[0] == "\r" else _written_out(match), cell)
    text = _AFTER_A_MARK.sub(lambda match: f"{match[0]}'", text)
    return f"'{text}" if text.startswith(_FORMULA) else text


def xml(text: str) -> str:
    """The text without characters that XML 1.0 forbids; other controls are written out."""
    kept = "".join(c for c in text if c in "\t\n" or " " <= c < "\ud800" or "\ue000" <= c < "\ufffe" or c > "\uffff")
    return terminal(kept)


def _written_out(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number > 0xFFFF:
        return f"\\U{number:08x}"
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
