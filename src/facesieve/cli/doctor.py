"""`facesieve doctor`: what is in use here, and what would make it faster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from facesieve.settings import Settings


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    require_native: Annotated[
        bool, typer.Option("--require-native", help="Exit with 2 unless the compiled extension is in use.")
    ] = False,
) -> None:
    """Say which engine, libraries and models are in use, and what would make it faster."""
    from facesieve.errors import UsageError
    from facesieve.settings import Settings

    settings = Settings.load()
    facts = _engine(settings) | _device(settings) | _libraries() | {"models": _models(settings)}
    advice = list(_advice(facts))
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


def _engine(settings: Settings) -> dict[str, Any]:
    """What runs MTCNN and WHENet. `built` says whether the extension can be used, whatever the settings ask for."""
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
    """The instruction set in use, or None where the settings name one that does not run here."""
    from facesieve.errors import SettingsError
    from facesieve.native import load_extension

    try:
        extension = load_extension(settings)
    except SettingsError:
        return None
    return extension.isa if extension else None


def _device(settings: Settings) -> dict[str, str]:
    """Where networks run, or why they cannot run where the settings want them."""
    from facesieve.detect import load_networks
    from facesieve.errors import FacesieveError
    from facesieve.models.store import Store

    if settings.device == "cpu":
        return {"device": "cpu"}
    try:
        load_networks(settings, Store(settings.model_copy(update={"offline": True})))
    except FacesieveError as error:
        return {"device": error.message}
    return {"device": settings.device}


def _libraries() -> dict[str, Any]:
    import platform

    from facesieve.dataset.origin import versions
    from facesieve.processes.cores import cores

    return {"cores": cores(), "python": platform.python_version(), "machine": platform.machine(), **versions()}


def _models(settings: Settings) -> dict[str, str]:
    """By name: `verified`, `absent`, or what is wrong."""
    from facesieve.errors import ModelError
    from facesieve.models.catalog import catalog
    from facesieve.models.store import Store

    store, found = Store(settings), {}
    for name in catalog():
        try:
            found[name] = "verified" if store.present(name) and store.verify(name) else "absent"
        except ModelError as error:
            found[name] = error.message
    return found


def _advice(facts: dict[str, Any]) -> Iterator[str]:
    from facesieve.native import unavailable

    if not facts["built"]:
        yield f"{unavailable()} Installed where there is a C++ compiler, FaceSieve is several times as fast."
    elif facts["device"] != "cpu":
        yield "The setting `device` asks for a GPU: see docs/performance.md, section GPU."
    elif facts["engine"] != "native":
        yield "The setting `engine` asks for ONNX Runtime; `auto` takes the compiled extension."
    elif facts["instruction set"] is None:
        sets = ", ".join(facts["instruction sets"])
        yield f"The setting `isa` names an instruction set that does not run here; choose auto or one of {sets}."
    elif facts["instruction set"] != facts["instruction sets"][0]:
        used, fastest = facts["instruction set"], facts["instruction sets"][0]
        yield f"The setting `isa` asks for {used}; auto takes {fastest}, which is faster here."
    for name in ("mtcnn", "whenet"):
        if facts["models"][name] != "verified":
            yield f"Model {name} is not ready: `facesieve models fetch {name}` gets it ahead of time."


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
