"""A receipt of each export, in the dataset: when it was made, where, how, and which faces it has.

Receipts show which exports have the faces of a person who is removed from the dataset. They stay in the hidden folder
of the dataset; no export has them.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

from facesieve.errors import DatasetError
from facesieve.export.plan import Plan
from facesieve.run.receipts import write_receipt


def leave_receipt(plan: Plan, output: Path) -> bool:
    """Write the receipt of an export. Returns False if the dataset is on a disk that cannot be written.

    Another export to the same place replaces the receipt of the one before.
    """
    absolute, layout = str(output.absolute()), plan.dataset.layout
    path = layout.exports / f"{hashlib.sha256(os.fsencode(absolute)).hexdigest()[:16]}.parquet"
    about = {"output": absolute, "made": datetime.now(UTC).isoformat(timespec="seconds"), "spec": plan.spec.as_json()}
    try:
        write_receipt(about, plan.taken_ids(), path, layout)
    except DatasetError:
        return False
    return True
