"""An example of an evalkit plug-in: one engine and one check."""
