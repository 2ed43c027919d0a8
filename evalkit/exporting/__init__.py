"""Sends a finished run somewhere else: to an experiment tracker, to the Hugging Face hub, into files of other formats.

card       the section of a model card
cleaning   keys and local paths removed from all that leaves this machine
datasets   which data sets are benchmarks of the hub
figures    the figures of a run, one record for each task and metric
parcel     a cleaned copy of the run, and all that exporters may send of it
spec       the description that each exporter declares, and how installed exporters are found
tables     tables of rows and changed documents
targets/   the shipped exporters, one file each

Exporters only see the cleaned copy, so that none of them can send what was removed from it. Naming the exporters loads
neither the parcel nor any library.
"""

from evalkit.exporting.spec import (
    GROUP,
    ExporterSpec,
    Options,
    Receipt,
    broken,
    check_arguments,
    exporter_names,
    find_exporter,
    live_exporters,
    ready,
    send,
)

__all__ = [
    "GROUP",
    "ExporterSpec",
    "Options",
    "Receipt",
    "broken",
    "check_arguments",
    "exporter_names",
    "find_exporter",
    "live_exporters",
    "ready",
    "send",
]
