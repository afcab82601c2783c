"""The compiled extension: whether it is installed, and its instruction set. Only this file imports `_native`."""

from __future__ import annotations

from functools import partial

from facesieve.errors import SettingsError
from facesieve.settings import Settings


class Extension:
    """The functions of the compiled extension for one instruction set. Their types are in `_native.pyi`.

    isa: one of `instruction_sets()`.
    Raises ImportError when the extension was not built or cannot be loaded.
    """

    def __init__(self, isa: str) -> None:
        import facesieve._native as compiled

        self.isa = isa
        self.panel = compiled.PANEL
        self.networks = partial(compiled.Networks, isa=isa)
        self.sievepose = partial(compiled.Sievepose, isa=isa)
        # These do not depend on the instruction set.
        self.suppress = compiled.suppress
        self.warp = compiled.warp
        self.laplacian_variance = compiled.laplacian_variance


def load_extension(settings: Settings) -> Extension | None:
    """Load the extension that the settings ask for. Returns None when ONNX Runtime and OpenCV do the work instead.

    Raises SettingsError: `no_native` when the setting `engine` is `native` and the extension cannot be used. `no_isa`
    when the setting `isa` names an instruction set that this processor or this build of the extension does not have.
    """
    if settings.engine == "onnxruntime":
        return None
    reason = unavailable()
    if reason:
        if settings.engine == "auto":
            return None
        message = f"Setting 'engine': {reason} Reinstall FaceSieve with a C++ compiler present, or set engine to auto."
        raise SettingsError("no_native", message)
    runnable = instruction_sets()
    if settings.isa == "auto":
        return Extension(runnable[0])
    if settings.isa not in runnable:
        message = f"Setting 'isa': {settings.isa} does not run here; choose auto or one of {', '.join(runnable)}."
        raise SettingsError("no_isa", message)
    return Extension(settings.isa)


def unavailable() -> str | None:
    """Why the extension cannot be used, as one sentence. None if it can be used."""
    try:
        import facesieve._native  # noqa: F401
    except ModuleNotFoundError:
        return "This installation has no compiled extension."
    except ImportError as error:
        return f"The compiled extension cannot be loaded ({error})."
    return None


def instruction_sets() -> list[str]:
    """The instruction sets that both the extension and this machine have, fastest first; none without the extension."""
    if unavailable():
        return []
    from facesieve._native import isas

    return isas()
