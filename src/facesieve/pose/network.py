"""Who computes a pose network: the compiled extension or ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from facesieve.errors import SettingsError
from facesieve.models.onnx_file import Floats32
from facesieve.models.store import Store
from facesieve.pose.layers import OtherGraphError, layers
from facesieve.records import Pixels
from facesieve.settings import Settings

Network = Callable[[Pixels], Sequence[Floats32]]  # crops (N, side, side, 3) uint8 RGB to degrees (N, 3)


def load_network(name: str, settings: Settings, store: Store) -> Network:
    """A network from the catalog's verified file, on the engine that the settings want.

    Only WHENet has compiled kernels; another network stays on ONNX Runtime whatever the engine.
    Raises what `Store.load` raises, and SettingsError: `no_native` when the compiled extension is asked for and was not
    built, or does not have the instruction set that FACESIEVE_ISA names; `no_cuda` when a GPU cannot be used.
    """
    model = store.load(name)[name]
    if settings.device == "cpu" and settings.engine != "onnxruntime":
        native = _native(model, settings)
        if native:
            return native
    from facesieve.models.session import Session  # ONNX Runtime takes a while to import

    return Session(model, settings.threads, settings.device)


def _native(model: bytes, settings: Settings) -> Network | None:
    """The compiled extension, or nothing where there was no compiler for it or the graph is not one of its own."""
    try:
        from facesieve.pose.native import NativeNetwork
    except ImportError as error:
        if settings.engine == "auto":
            return None
        raise SettingsError("no_native", "Setting 'engine': this installation has no compiled extension.") from error
    try:
        read = layers(model)
    except OtherGraphError:
        return None
    try:
        return NativeNetwork(read)
    except ValueError as error:
        raise SettingsError("no_native", f"FACESIEVE_ISA: {error}.") from error
