"""An example of an evalkit plug-in: an engine, a check, a judge with a rubric, and a kind of task."""
