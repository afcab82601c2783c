"""Photos in; a clean, aligned, explainable face dataset out.

Names are imported when they are first used, so that `facesieve --help` does not wait for the networks.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facesieve.version import __version__

if TYPE_CHECKING:
    from facesieve.errors import (
        DatasetError,
        FacesieveError,
        ModelError,
        PolicyError,
        SettingsError,
        UsageError,
        WorkerError,
    )
    from facesieve.export.export import Exported, ExportProgress, export_dataset
    from facesieve.fit.by_examples import fit_examples
    from facesieve.fit.curve import error_curves
    from facesieve.fit.curve_records import Curve, Curves
    from facesieve.fit.fitted import Fitted
    from facesieve.fit.share import fit_keep, fit_reject_rate
    from facesieve.pipeline import Pipeline
    from facesieve.records import Face, NoEmbedding, Photo, Record, Refusal, RefusalCode, Source, Verdict
    from facesieve.run.build_result import BuildResult
    from facesieve.run.identify import Identified, IdentifyProgress, identify
    from facesieve.run.label_findings import LabelFinding
    from facesieve.run.merge import MergeResult, merge
    from facesieve.run.open_dataset import Dataset, open_dataset
    from facesieve.run.people import LabelSummary, People
    from facesieve.run.progress import Progress
    from facesieve.run.pull import pull
    from facesieve.run.recipe import build
    from facesieve.settings import Settings
    from facesieve.sieve import Policy, Reason

__all__ = [
    "BuildResult",
    "Curve",
    "Curves",
    "Dataset",
    "DatasetError",
    "ExportProgress",
    "Exported",
    "Face",
    "FacesieveError",
    "Fitted",
    "Identified",
    "IdentifyProgress",
    "LabelFinding",
    "LabelSummary",
    "MergeResult",
    "ModelError",
    "NoEmbedding",
    "People",
    "Photo",
    "Pipeline",
    "Policy",
    "PolicyError",
    "Progress",
    "Reason",
    "Record",
    "Refusal",
    "RefusalCode",
    "Settings",
    "SettingsError",
    "Source",
    "UsageError",
    "Verdict",
    "WorkerError",
    "__version__",
    "build",
    "error_curves",
    "export_dataset",
    "fit_examples",
    "fit_keep",
    "fit_reject_rate",
    "identify",
    "merge",
    "open_dataset",
    "pull",
]

# Where each public name is defined.
_MODULES = {
    "BuildResult": "run.build_result",
    "Curve": "fit.curve_records",
    "Curves": "fit.curve_records",
    "Dataset": "run.open_dataset",
    "DatasetError": "errors",
    "ExportProgress": "export.export",
    "Exported": "export.export",
    "Face": "records",
    "FacesieveError": "errors",
    "Fitted": "fit.fitted",
    "Identified": "run.identify",
    "IdentifyProgress": "run.identify",
    "LabelFinding": "run.label_findings",
    "LabelSummary": "run.people",
    "MergeResult": "run.merge",
    "ModelError": "errors",
    "NoEmbedding": "records",
    "People": "run.people",
    "Photo": "records",
    "Pipeline": "pipeline",
    "Policy": "sieve",
    "PolicyError": "errors",
    "Progress": "run.progress",
    "Reason": "sieve",
    "Record": "records",
    "Refusal": "records",
    "RefusalCode": "records",
    "Settings": "settings",
    "SettingsError": "errors",
    "Source": "records",
    "UsageError": "errors",
    "Verdict": "records",
    "WorkerError": "errors",
    "build": "run.recipe",
    "error_curves": "fit.curve",
    "export_dataset": "export.export",
    "fit_examples": "fit.by_examples",
    "fit_keep": "fit.share",
    "fit_reject_rate": "fit.share",
    "identify": "run.identify",
    "merge": "run.merge",
    "open_dataset": "run.open_dataset",
    "pull": "run.pull",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'facesieve' has no attribute {name!r}")
    return getattr(import_module(f"facesieve.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
