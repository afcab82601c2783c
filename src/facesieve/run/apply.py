"""Publishes a dataset again with the decisions by hand that it has now, without adding pictures."""

from __future__ import annotations

from pathlib import Path

from facesieve.dataset.about import read_about, read_made
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.tables.counts import Counts
from facesieve.dataset.tables.resolve import resolve
from facesieve.errors import DatasetError
from facesieve.run.claim import lock_dataset
from facesieve.run.ledger import Ledger
from facesieve.run.publish import publish_ledger
from facesieve.settings import Settings


def apply_decisions(root: Path, settings: Settings) -> Counts:
    """Write the manifests, the contact sheet and the folders of crops again, as the decisions say. Returns the counts.

    Raises DatasetError if the dataset has no ledger, is damaged, or cannot be written.
    """
    layout = Layout(root)
    if not layout.made.exists():
        read_about(layout)
        raise DatasetError(
            "not_continuable", f"{root} has no ledger. Write a new dataset: facesieve sieve {root} -o NEW."
        )
    with lock_dataset(layout):
        ledger = Ledger(layout)
        with resolve(ledger.tables, layout.scratch) as found:
            return publish_ledger(ledger, found, read_made(layout), settings).counts.counts()
