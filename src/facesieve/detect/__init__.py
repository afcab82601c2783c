"""Pixels to faces: boxes, confidence and five landmarks."""

from __future__ import annotations

from facesieve.detect.mtcnn import Mtcnn
from facesieve.detect.networks import Networks, OnnxNetworks
from facesieve.models.session import Session
from facesieve.models.store import Store
from facesieve.settings import Settings

__all__ = ["Mtcnn", "load_detector"]


def load_detector(settings: Settings, store: Store) -> Mtcnn:
    """MTCNN as the settings want it. Raises ModelError when its weights are absent or not what they should be."""
    return Mtcnn(
        load_networks(settings, store), settings.min_face_size, settings.scale_factor, settings.steps_threshold
    )


def load_networks(settings: Settings, store: Store) -> Networks:
    """P-Net, R-Net and O-Net from the catalog's verified files."""
    files = store.load("mtcnn")
    return OnnxNetworks(*(Session(files[name], settings.threads) for name in ("pnet", "rnet", "onet")))
