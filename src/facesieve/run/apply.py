"""Publishes a dataset again with the decisions by hand that it has now, without adding pictures."""

from __future__ import annotations

from pathlib import Path

from facesieve.dataset.about import read_about, read_made
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.tables.counts import Counts
from facesieve.errors import DatasetError
from facesieve.run.claim import lock_dataset
from facesieve.run.drop_forgotten import resolved_without_forgotten
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
        ledger, origin = Ledger(layout), read_made(layout)
        with resolved_without_forgotten(ledger, origin.options.outputs) as found:
            return publish_ledger(ledger, found, origin, settings).counts.counts()
