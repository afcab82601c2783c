"""Loads a pose network, which then runs on the compiled extension or on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from facesieve.models.store import Store
from facesieve.native import load_extension
from facesieve.pose.layers import OtherGraphError, read_layers
from facesieve.pose.native import NativeNetwork
from facesieve.records import Floats32, Pixels
from facesieve.settings import Settings

Network = Callable[[Pixels], Sequence[Floats32]]  # crops (N, side, side, 3) uint8 RGB to one output, degrees (N, 3)


def load_network(name: str, settings: Settings, store: Store) -> Network:
    """A network from the verified file of the store, on the engine of the settings.

    The extension computes only networks such as WHENet; others run on ONNX Runtime, whatever engine the settings name.
    Raises what `Store.load` and `load_extension` raise, and SettingsError `no_cuda` when a GPU cannot be used.
    """
    model = store.load(name)[name]
    extension = load_extension(settings)
    if extension and settings.device == "cpu":
        try:
            return NativeNetwork(extension, read_layers(model))
        except OtherGraphError:
            pass
    from facesieve.models.session import Session  # ONNX Runtime takes a while to import

    return Session(model, settings.threads, settings.device)
