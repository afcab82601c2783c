"""Where pictures come from: files, folders, globs, archives, lists of paths, and a caller's own bytes and arrays."""

from facesieve.sources.find import LabelFrom, find
from facesieve.sources.memory import Picture, as_sources, each_source

__all__ = ["LabelFrom", "Picture", "as_sources", "each_source", "find"]
