"""The compiled extension: whether it is there, and which instruction set it uses. Only this file imports `_native`."""

from __future__ import annotations

from functools import partial

from facesieve.errors import SettingsError
from facesieve.settings import Settings


class Extension:
    """The functions of the compiled extension, for one instruction set. `_native.pyi` has their types.

    isa: one of `instruction_sets()`.
    Raises ImportError where the extension was not built or cannot be loaded.
    """

    def __init__(self, isa: str) -> None:
        import facesieve._native as compiled

        self.isa = isa
        self.panel = compiled.PANEL
        self.networks = partial(compiled.Networks, isa=isa)
        self.head_pose = partial(compiled.HeadPose, isa=isa)
        # The same on every instruction set.
        self.suppress = compiled.suppress
        self.warp = compiled.warp
        self.laplacian_variance = compiled.laplacian_variance


def load_extension(settings: Settings) -> Extension | None:
    """The extension as the settings want it, or None where ONNX Runtime and OpenCV do its work.

    Raises SettingsError: `no_native` when the setting `engine` asks for an extension that cannot be used here, and
    `no_isa` when the setting `isa` names an instruction set that does not run here.
    """
    if settings.engine == "onnxruntime":
        return None
    reason = unavailable()
    if reason:
        if settings.engine == "auto":
            return None
        message = f"Setting 'engine': {reason} Install FaceSieve where there is a C++ compiler, or set engine to auto."
        raise SettingsError("no_native", message)
    runnable = instruction_sets()
    if settings.isa == "auto":
        return Extension(runnable[0])
    if settings.isa not in runnable:
        message = f"Setting 'isa': {settings.isa} does not run here; choose auto or one of {', '.join(runnable)}."
        raise SettingsError("no_isa", message)
    return Extension(settings.isa)


def unavailable() -> str | None:
    """Why the extension cannot be used, in one sentence; None where it can."""
    try:
        import facesieve._native  # noqa: F401
    except ModuleNotFoundError:
        return "This installation has no compiled extension."
    except ImportError as error:
        return f"The compiled extension cannot be loaded ({error})."
    return None


def instruction_sets() -> list[str]:
    """The instruction sets that the extension has and this machine runs, fastest first; none without the extension."""
    if unavailable():
        return []
    from facesieve._native import isas

    return isas()
