"""Loads a pose network. Sievepose runs on the compiled extension or on ONNX Runtime, all others on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from facesieve.models.store import Store
from facesieve.native import load_extension
from facesieve.pose.both_ways import both_ways
from facesieve.pose.native import NativeSievepose
from facesieve.records import Floats32, Pixels
from facesieve.settings import Settings

# Crops (N, side, side, 3) uint8 RGB to degrees (N, 3) and, if the network tells, their spread (N, 3).
Network = Callable[[Pixels], Sequence[Floats32]]


def load_network(name: str, settings: Settings, store: Store) -> Network:
    """A network from the verified file of the store. Sievepose sees crops both ways.

    Raises what `Store.load` and `load_extension` raise, and SettingsError `no_cuda` when a GPU cannot be used.
    """
    model = store.load(name)[name]
    if name == "sievepose":
        return partial(both_ways, _sievepose(settings, model))
    return _session(settings, model)


def _sievepose(settings: Settings, model: bytes) -> Network:
    extension = load_extension(settings)
    if settings.device != "cpu":
        return _session(settings, model)
    if extension:
        return NativeSievepose(extension, model)
    return partial(_one_by_one, _session(settings, model))


def _session(settings: Settings, model: bytes) -> Network:
    from facesieve.models.session import Session  # ONNX Runtime takes a while to import

    return Session(model, settings.threads, settings.device)


def _one_by_one(session: Network, crops: Pixels) -> list[Floats32]:
    """The outputs about each crop alone: ONNX Runtime rounds those of several crops of this network differently."""
    outputs = [session(crops[row : row + 1]) for row in range(len(crops))]
    return [np.concatenate(parts) for parts in zip(*outputs, strict=True)]
