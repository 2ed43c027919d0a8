"""What was found, for people and for machines: one file per verb."""
