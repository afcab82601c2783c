"""The picture format of some bytes, from their beginning alone; the file's name does not count."""

from __future__ import annotations

from facesieve.decode import netpbm_header, raw
from facesieve.decode.integers import big
from facesieve.errors import Refused
from facesieve.records import RefusalCode

SUPPORTED = ("jpeg", "png", "webp", "gif", "bmp", "tiff", "heif", "avif", "jpeg2000", "netpbm", "raw")

_DECODED = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
    *((magic, "raw") for magic in raw.MAGIC),
)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2"}

# Formats that are recognised but not read: a message that names the format helps more than "not a picture".
_KNOWN = (
    (b"\0\0\x01\0", "ico"),
    (b"\0\0\x02\0", "cur"),
    (b"8BPS", "psd"),
    (b"\xff\x0a", "jpeg-xl"),
    (b"\0\0\0\x0cJXL ", "jpeg-xl"),
    (b"%PDF-", "pdf"),
    (b"%!PS", "eps"),
    (b"\xc5\xd0\xd3\xc6", "eps"),
    (b"DDS ", "dds"),
    (b"\x01\xda", "sgi"),
    (b"qoif", "qoi"),
    (b"v/1\x01", "openexr"),
    (b"#?RADIANCE", "hdr"),
    (b"icns", "icns"),
    (b"gimp xcf", "xcf"),
)


def sniff(data: bytes) -> str:
    """The format of encoded bytes, one of `SUPPORTED`.

    Raises Refused: `empty`, `unsupported_format` (a picture, drawing or video in another format), `not_an_image`.
    """
    if not data:
        raise Refused(RefusalCode.EMPTY)
    for magic, name in _DECODED:
        if data.startswith(magic):
            return "raw" if name == "tiff" and raw.is_raw(data) else name
    if data[:2] in netpbm_header.KINDS and (data[2:3].isspace() or data[2:3] == b"#"):
        return "netpbm"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp":
        return _of_brands(data)
    if name := _known(data):
        message = f"FaceSieve does not read pictures of format {name}; convert this one to JPEG or PNG."
        raise Refused(RefusalCode.UNSUPPORTED_FORMAT, message)
    raise Refused(RefusalCode.NOT_AN_IMAGE)


def _of_brands(data: bytes) -> str:
    """HEIF, AVIF and videos share one container (ISO/IEC 14496-12); its brands tell them apart."""
    brands = _brands(data)
    if _AVIF_BRANDS & brands:
        return "avif"
    if _HEIF_BRANDS & brands:
        return "heif"
    if raw.BRANDS & brands:
        return "raw"
    message = "The file is a clip, which only builds and `Pipeline.stream` read, or a picture of an unknown format."
    raise Refused(RefusalCode.UNSUPPORTED_FORMAT, message)


def is_picture_container(data: bytes) -> bool:
    """Whether a file of this container, whose fifth to eighth bytes are `ftyp`, is a picture and no clip."""
    return bool((_AVIF_BRANDS | _HEIF_BRANDS | raw.BRANDS) & _brands(data))


def _brands(data: bytes) -> set[bytes]:
    end = min(big(data[:4]), len(data), 4096)
    return {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}


def _known(data: bytes) -> str:
    for magic, name in _KNOWN:
        if data.startswith(magic):
            return name
    if b"<svg" in data[:1024]:
        return "svg"
    return ""
