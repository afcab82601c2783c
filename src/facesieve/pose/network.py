"""Loads a pose network, which then runs on the compiled extension or on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from facesieve.models.store import Store
from facesieve.native import Extension, load_extension
from facesieve.pose.both_ways import both_ways
from facesieve.pose.chain import read_chain
from facesieve.pose.graph import OtherGraphError
from facesieve.pose.layers import read_layers
from facesieve.pose.native import NativeNetwork, NativeSievepose
from facesieve.records import Floats32, Pixels
from facesieve.settings import Settings

# Crops (N, side, side, 3) uint8 RGB to degrees (N, 3) and, if the network tells, their spread (N, 3).
Network = Callable[[Pixels], Sequence[Floats32]]


def load_network(name: str, settings: Settings, store: Store) -> Network:
    """A network from the verified file of the store, on the engine of the settings. Sievepose sees crops both ways.

    The extension computes Sievepose and networks such as WHENet; others run on ONNX Runtime, whatever engine the
    settings name.
    Raises what `Store.load` and `load_extension` raise, and SettingsError `no_cuda` when a GPU cannot be used.
    """
    network = _one_way(name, settings, store.load(name)[name])
    return partial(both_ways, network) if name == "sievepose" else network


def _one_way(name: str, settings: Settings, model: bytes) -> Network:
    extension = load_extension(settings)
    if extension and settings.device == "cpu":
        try:
            return _on_extension(name, extension, model)
        except OtherGraphError:
            pass
    from facesieve.models.session import Session  # ONNX Runtime takes a while to import

    session = Session(model, settings.threads, settings.device)
    return partial(_one_by_one, session) if name == "sievepose" and settings.device == "cpu" else session


def _one_by_one(session: Network, crops: Pixels) -> list[Floats32]:
    """The outputs about each crop alone: ONNX Runtime rounds those of several crops of this network differently."""
    outputs = [session(crops[row : row + 1]) for row in range(len(crops))]
    return [np.concatenate(parts) for parts in zip(*outputs, strict=True)]


def _on_extension(name: str, extension: Extension, model: bytes) -> Network:
    """Raises OtherGraphError where the kernels cannot compute the graph."""
    if name == "sievepose":
        return NativeSievepose(extension, read_chain(model))
    return NativeNetwork(extension, read_layers(model))
