"""`facesieve doctor`: the inference engine, libraries and models that are in use, and what would make it faster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from facesieve.models.store import Store
    from facesieve.settings import Settings


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    require_native: Annotated[
        bool, typer.Option("--require-native", help="Exit with 2 unless the compiled extension is in use.")
    ] = False,
    require_models: Annotated[
        bool,
        typer.Option(
            "--require-models", help="Exit with 2 unless the models that the settings need are in the cache and whole."
        ),
    ] = False,
) -> None:
    """Say which inference engine, libraries and models are in use, and what would make it faster."""
    from facesieve.errors import ModelError, UsageError
    from facesieve.models.catalog import needed
    from facesieve.models.store import Store, repair
    from facesieve.settings import Settings

    settings = Settings.load()
    store = Store(settings.model_copy(update={"offline": True}))
    facts = _engine(settings) | _device(settings, store) | _libraries() | {"models": _models(store)}
    lacking = [name for name in needed(settings) if facts["models"][name] != "verified"]
    advice = [*_advice(facts), *(f"Model {name} is not ready; run: {repair(name)}" for name in lacking)]
    if as_json:
        typer.echo(json.dumps(facts | {"advice": advice}, indent=2))
    else:
        for name, fact in facts.items():
            typer.echo(f"{name:<20} {_line(fact)}")
        typer.echo("")
        for sentence in advice or ["Nothing to improve."]:
            typer.echo(sentence)
    if require_native and facts["instruction set"] is None:
        raise UsageError("not_native", "The compiled extension is not in use here, so this runs several times slower.")
    if require_models and lacking:
        names, commands = ", ".join(lacking), "; ".join(map(repair, lacking))
        message = f"The settings need models that are absent or damaged: {names}; run: {commands}"
        raise ModelError("models_not_ready", message)


def _engine(settings: Settings) -> dict[str, Any]:
    """The inference engine of MTCNN and Sievepose.

    built: whether the extension can be used, whatever the settings say.
    """
    from facesieve.native import instruction_sets, unavailable

    built = unavailable() is None
    native = built and settings.engine != "onnxruntime" and settings.device == "cpu"
    return {
        "engine": "native" if native else "onnxruntime",
        "built": built,
        "instruction sets": instruction_sets(),
        "instruction set": _isa(settings) if native else None,
    }


def _isa(settings: Settings) -> str | None:
    """The instruction set in use; None where the settings name one that does not run on this machine."""
    from facesieve.errors import SettingsError
    from facesieve.native import load_extension

    try:
        extension = load_extension(settings)
    except SettingsError:
        return None
    return extension.isa if extension else None


def _device(settings: Settings, store: Store) -> dict[str, str]:
    """The device of the settings, or why networks cannot run on it."""
    from facesieve.detect import load_networks
    from facesieve.errors import FacesieveError

    if settings.device == "cpu":
        return {"device": "cpu"}
    try:
        load_networks(settings, store)
    except FacesieveError as error:
        return {"device": error.message}
    return {"device": settings.device}


def _libraries() -> dict[str, Any]:
    import platform

    from facesieve.dataset.origin import versions
    from facesieve.processes.cores import cores

    return {"cores": cores(), "python": platform.python_version(), "machine": platform.machine(), **versions()}


def _models(store: Store) -> dict[str, str]:
    """The state of each model by name: `verified`, `absent`, or a sentence that says what is wrong."""
    from facesieve.errors import ModelError
    from facesieve.models.catalog import catalog

    found = {}
    for name in catalog():
        try:
            found[name] = "verified" if store.present(name) and store.verify(name) else "absent"
        except ModelError as error:
            found[name] = error.message
    return found


def _advice(facts: dict[str, Any]) -> Iterator[str]:
    from facesieve.native import unavailable

    if not facts["built"]:
        yield f"{unavailable()} Install FaceSieve where there is a C++ compiler: it is several times as fast then."
    elif facts["device"] != "cpu":
        yield "The setting `device` asks for a GPU; see docs/performance.md, section GPU."
    elif facts["engine"] != "native":
        yield "The setting `engine` asks for ONNX Runtime; with `auto` the compiled extension is used, which is faster."
    elif facts["instruction set"] is None:
        sets = ", ".join(facts["instruction sets"])
        yield f"The setting `isa` names an instruction set that does not run here; choose auto or one of {sets}."
    elif facts["instruction set"] != facts["instruction sets"][0]:
        used, fastest = facts["instruction set"], facts["instruction sets"][0]
        yield f"The setting `isa` asks for {used}; with `auto` it is {fastest}, which is faster here."


def _line(fact: Any) -> str:
    match fact:
        case dict():
            return ", ".join(f"{name} {value}" for name, value in fact.items())
        case list():
            return ", ".join(fact) or "none"
        case None:
            return "none"
        case bool():
            return "yes" if fact else "no"
        case _:
            return str(fact)
