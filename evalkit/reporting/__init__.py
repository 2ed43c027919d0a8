"""Shows results on a terminal, as markdown, JSON, CSV and HTML: one file per verb."""
