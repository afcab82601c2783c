"""Which settings of crops the networks of embeddings accept."""

from __future__ import annotations

from facesieve.errors import SettingsError
from facesieve.records import TEMPLATE_SIZE
from facesieve.settings import Settings


def check_crops(settings: Settings) -> None:
    """Raise SettingsError if the networks of this package cannot use the crops that the settings make."""
    if settings.identity == "none":
        return
    if settings.alignment != "similarity":
        raise SettingsError(
            "bad_setting", "Setting 'identity': embeddings need alignment=similarity; other crops distort the face."
        )
    if settings.crop_size < TEMPLATE_SIZE:
        raise SettingsError(
            "bad_setting", f"Setting 'identity': embeddings need a crop_size of {TEMPLATE_SIZE} or more."
        )
