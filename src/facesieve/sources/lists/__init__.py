"""Lists of pictures: text, CSV, TSV, JSON lines and Parquet. One reader and one set of rules for all of them.

    bytes of a list → `reader` picks the format → rows (`row.Row`) → `reader` makes a source of each row

A format is one function from an open file to rows. It asks `columns` which column holds paths and which one labels. To
add a format, write such a function and name its suffix in `reader.FORMATS`. To add a kind of picture, such as an
object in a bucket, add a case to `reader._named_picture`.
"""

from facesieve.sources.lists.reader import from_list, is_list, looks_like_a_list

__all__ = ["from_list", "is_list", "looks_like_a_list"]
