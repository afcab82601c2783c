"""Writes the report of a dataset, into the dataset or elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.new_file import check_new, check_outside, write_new
from facesieve.dataset.disk.replace import NewFile, replace_files
from facesieve.dataset.manifests import open_manifests
from facesieve.errors import DatasetError
from facesieve.report.report import LABELS, MARK, report_page
from facesieve.run.claim import kept_from_changes


def write_report(
    root: Path, output: Path | None = None, language: str | None = None, labels: int | None = None
) -> Path:
    """Write the report of a dataset. Returns where it is.

    output: a file to write, outside of datasets; it may replace a former report and no other file. None writes
    `report.html` into the dataset, which the next change of the dataset removes.
    language: the code of the language that the page begins with; None takes that of the browser. labels: at most so
    many labels have a row.
    Raises DatasetError if the folder is no finished dataset, is damaged, a build is writing to it, or the file cannot
    be written; UsageError for an unknown language, `bad_output` or `file_exists`.
    """
    layout = Layout(root)
    if output is not None and output.name and os.path.realpath(output) == os.path.realpath(layout.report):
        output = None
    if output is not None:
        check_outside(output)
        check_new(output, ".html", ".htm", mark=MARK)
    with kept_from_changes(layout):
        html = report_page(open_manifests(root), LABELS if labels is None else labels, language)
        if output is not None:
            write_new(output, html)
            return output
        try:
            replace_files([NewFile(layout.report, html)], {}, layout.report_sums, layout)
        except DatasetError as error:
            raise DatasetError(error.code, f"{error.message} To write the report elsewhere, use -o FILE.") from error
    return layout.report
