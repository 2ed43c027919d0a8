"""Makes the HTML report: a page in one file that loads nothing, for a browser without a network.

documents   lists every document of a view with its outcome, as columns
texts       packs prompts and answers into compressed blocks, changed documents first
figures     turns comparisons, leaderboard, troubles and manifests into JSON
tidy        makes text and numbers readable for any browser
sections    the page's sections, in order
behaviour   data of the section on rates
plain       the page for a browser without JavaScript
curves, charts   the page of `evalkit curve`
page        puts everything into one file; assets/ holds the template, the style and the scripts
"""

from evalkit.reporting.html.page import as_html
from evalkit.reporting.html.texts import DEFAULT_ROOM

__all__ = ["DEFAULT_ROOM", "as_html"]
