"""Bytes to upright RGB pixels, limits applied on the header before any decoder runs."""

from facesieve.decode.ahead import ahead
from facesieve.decode.formats import SUPPORTED
from facesieve.decode.picture import Decoded, batches, decode, decode_one
from facesieve.records import RefusalCode

__all__ = ["SUPPORTED", "Decoded", "RefusalCode", "ahead", "batches", "decode", "decode_one"]
