"""The texts of all pages in every language: one TOML file for each language, and the script that fills in a page."""

from facesieve.texts.embed import embedded, script_safe
from facesieve.texts.table import Language, languages, tables

__all__ = ["Language", "embedded", "languages", "script_safe", "tables"]
