"""Maps aligned crops to embeddings, with the network that the settings name."""

from __future__ import annotations

import cv2
import numpy as np

from facesieve.identity.chips import Chips
from facesieve.identity.crop_settings import check_crops
from facesieve.models.catalog import Embedding, entry
from facesieve.models.session import Session
from facesieve.models.store import Store
from facesieve.records import EMBEDDING_SIZE, TEMPLATE_SIZE, Embeddings, Floats32, Mask, NoEmbedding, Pixels
from facesieve.settings import Settings


class Embedder:
    """Computes embeddings of aligned crops.

    settings: `identity` names the model, which is not `none`. store: the model is loaded from it at once.
    Raises what `check_crops` and `Store.load` raise, and SettingsError `no_cuda` when a GPU cannot be used.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        check_crops(settings)
        model = entry(settings.identity)
        assert model.embedding and model.preprocessing.side
        self._embedding: Embedding = model.embedding
        self._chips = Chips(TEMPLATE_SIZE, model.preprocessing.side, self._embedding.scale, self._embedding.shift)
        self._takes_planes = model.preprocessing.input != "uint8"
        self._network = Session(store.load(settings.identity)[settings.identity], settings.threads, settings.device)

    def __call__(self, crops: Pixels) -> Embeddings:
        """The embeddings of crops (N, S, S, 3) uint8 RGB, which are aligned to the template; S is 112 or more.

        A crop of one colour has none. The numbers of a crop do not depend on the other crops.
        """
        vectors = np.zeros((len(crops), EMBEDDING_SIZE), np.float16)
        missing = np.full(len(crops), "", object)
        missing[_blank(crops)] = NoEmbedding.BLANK_CROP.value
        measured = np.flatnonzero(missing == "")
        for start in range(0, len(measured), self._embedding.batch):
            rows = measured[start : start + self._embedding.batch]
            numbers = self._numbers(self._chips(_standard(crops[rows])))
            with np.errstate(all="ignore"):  # what is not finite is found below
                vectors[rows] = self._stored(numbers)
            bad = rows[~np.isfinite(vectors[rows]).all(axis=1) | ~vectors[rows].any(axis=1)]
            vectors[bad], missing[bad] = 0, NoEmbedding.NOT_FINITE.value
        return Embeddings(vectors, tuple(missing.tolist()))

    def _numbers(self, chips: Pixels) -> Floats32:
        """The output (N, 128) of the network."""
        planes = chips.transpose(0, 3, 1, 2).astype(np.float32) if self._takes_planes else chips
        (numbers,) = self._network(planes)
        return numbers

    def _stored(self, numbers: Floats32) -> Floats32:
        """The numbers (N, 128) as they are stored."""
        if not self._embedding.normalised:
            return numbers
        lengths = np.sqrt((numbers.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
        unit: Floats32 = np.divide(numbers, lengths, out=np.zeros_like(numbers), where=lengths > 0, casting="same_kind")
        return unit


def _blank(crops: Pixels) -> Mask:
    """Which crops have one colour only, (N,) bool."""
    return np.array([_has_one_colour(crop[::8, ::8]) and _has_one_colour(crop) for crop in crops], bool)


def _has_one_colour(crop: Pixels) -> bool:
    return bool((crop == crop[0, 0]).all())


def _standard(crops: Pixels) -> Pixels:
    """The crops at the size of the template. All figures were measured at that size."""
    if crops.shape[1] == TEMPLATE_SIZE:
        return crops
    size = (TEMPLATE_SIZE, TEMPLATE_SIZE)
    return np.stack([cv2.resize(crop, size, interpolation=cv2.INTER_AREA) for crop in crops])
