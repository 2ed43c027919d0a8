"""One page for some runs: a single file that loads nothing, for a browser without a network.

documents   every document of a view with its outcome, as columns
texts       prompts and answers of documents, those that changed first, packed into blocks
figures     views, boards, troubles and manifests as JSON
tidy        text and numbers that any browser can read
page        all of it in one file: assets/ holds the template, the style and the scripts
"""

from evalkit.reporting.html.page import as_html
from evalkit.reporting.html.texts import DEFAULT_ROOM

__all__ = ["DEFAULT_ROOM", "as_html"]
