"""The origin of a dataset after `identify`, and the model that computes its embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.origin import IdentityModel, InferenceEngine, Origin, versions
from facesieve.errors import DatasetError, SettingsError
from facesieve.identity.crop_settings import check_crops
from facesieve.run.embed_parts import Embed, parts_without
from facesieve.run.inference import engines_of, identity_model
from facesieve.run.ledger import Ledger
from facesieve.settings import Settings

if TYPE_CHECKING:
    from facesieve.models.store import Announce


def prepared(
    before: Origin, settings: Settings, layout: Layout, announce: Announce | None
) -> tuple[Origin, Embed | None]:
    """The new origin of the dataset, and what computes its embeddings; None if none are to be computed."""
    root = layout.root
    if settings.identity == "none":
        return before.model_copy(update={"identity": None, "engines": _engines_without_identity(before)}), None
    _check_crops(before, settings, root)
    from facesieve.identity.embedder import Embedder  # ONNX Runtime takes a while to import
    from facesieve.models.store import Store, tell

    if before.identity and before.identity.model != settings.identity:
        raise _other_model(root, before.identity, settings.identity)
    store = Store(settings, announce or tell)
    embedder = Embedder(settings, store)
    model = identity_model(settings, store)
    assert model
    if before.identity and before.identity != model:
        raise _other_model(root, before.identity, f"other weights of {model.model}")
    if before.identity and not parts_without(Ledger(layout), model.sha256):
        return before, None
    engines = tuple(engine for engine in engines_of(settings) if engine.network == model.model)
    new = before.model_copy(
        update={
            "identity": model,
            "engines": engines,
            "versions": {name: (held,) for name, held in versions().items()},
        }
    )
    return new.joined(before), embedder


def _engines_without_identity(origin: Origin) -> tuple[InferenceEngine, ...]:
    name = origin.identity.model if origin.identity else ""
    return tuple(engine for engine in origin.engines if engine.network != name)


def _other_model(root: Path, before: IdentityModel, now: str) -> DatasetError:
    return DatasetError(
        "other_identity",
        f"{root} has embeddings of {before.model}, not of {now}. Remove them first: facesieve identify {root} "
        "--identity none",
    )


def _check_crops(origin: Origin, settings: Settings, root: Path) -> None:
    """Raise DatasetError if the crops of the dataset are not of a kind that the networks can use."""
    made: dict[str, Any] = {
        name: origin.settings[name] for name in ("alignment", "crop_size") if name in origin.settings
    }
    try:
        check_crops(settings.model_copy(update=made))
    except SettingsError as error:
        raise DatasetError("other_crops", f"{root} was built with other crops. {error.message}") from error
