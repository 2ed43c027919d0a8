"""The exporters that ship with evalkit, one file each. Each imports its library only when a run is exported."""
