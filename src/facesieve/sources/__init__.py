"""Where pictures come from: files, folders, globs, archives, lists, URLs, buckets, and a caller's bytes and arrays."""

from facesieve.sources.find import find_sources
from facesieve.sources.labels import LabelFrom
from facesieve.sources.options import SourceOptions
from facesieve.sources.pictures import Picture, as_sources, each_source
from facesieve.sources.search import Found, LeftOut

__all__ = ["Found", "LabelFrom", "LeftOut", "Picture", "SourceOptions", "as_sources", "each_source", "find_sources"]
