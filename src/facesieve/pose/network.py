"""Loads a pose network, on the compiled extension or ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from facesieve.models.store import Store
from facesieve.native import load_extension
from facesieve.pose.layers import OtherGraphError, layers
from facesieve.pose.native import NativeNetwork
from facesieve.records import Floats32, Pixels
from facesieve.settings import Settings

Network = Callable[[Pixels], Sequence[Floats32]]  # crops (N, side, side, 3) uint8 RGB to degrees (N, 3)


def load_network(name: str, settings: Settings, store: Store) -> Network:
    """A network from the catalog's verified file, on the engine that the settings want.

    The extension computes networks such as WHENet only; other networks run on ONNX Runtime, whatever the engine.
    Raises what `Store.load` and `load_extension` raise, and SettingsError `no_cuda` when a GPU cannot be used.
    """
    model = store.load(name)[name]
    extension = load_extension(settings)
    if extension and settings.device == "cpu":
        try:
            return NativeNetwork(extension, layers(model))
        except OtherGraphError:
            pass
    from facesieve.models.session import Session  # ONNX Runtime takes a while to import

    return Session(model, settings.threads, settings.device)
