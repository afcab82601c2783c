"""Whether a decoder failed because memory was short."""

from __future__ import annotations

import numpy as np

from facesieve.decode.cost import BYTES_PER_PIXEL, Size


def lacks_memory_for(format: str, size: Size) -> bool:
    """Whether there is not enough memory now to decode a picture of this format and size.

    libjpeg and others report a failed allocation as a broken stream, so this is checked after every failure.
    """
    try:
        np.empty(size[0] * size[1] * (BYTES_PER_PIXEL.get(format, 8) + 8), np.uint8)
    except MemoryError:
        return True
    return False
