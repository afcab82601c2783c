"""Bytes to upright RGB pixels. Limits are applied to the header before any decoder runs."""

from facesieve.decode.formats import SUPPORTED
from facesieve.decode.picture import DecodedBatch, batches, decode, decode_each, decode_one
from facesieve.decode.prefetch import prefetch
from facesieve.records import RefusalCode

__all__ = ["SUPPORTED", "DecodedBatch", "RefusalCode", "batches", "decode", "decode_each", "decode_one", "prefetch"]
