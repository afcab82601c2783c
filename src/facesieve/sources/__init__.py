"""Where pictures come from: files, folders, globs, archives, lists of paths, and a caller's own bytes and arrays."""

from facesieve.sources.find import find, search
from facesieve.sources.memory import Picture, as_sources, each_source
from facesieve.sources.options import LabelFrom, SourceOptions
from facesieve.sources.state import Found, LeftOut

__all__ = ["Found", "LabelFrom", "LeftOut", "Picture", "SourceOptions", "as_sources", "each_source", "find", "search"]
