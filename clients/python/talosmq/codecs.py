"""How records are compressed: none and gzip by Python itself, zstd by the system's libzstd, snappy and
lz4 by their packages (Debian: python3-snappy, python3-lz4)."""

import enum
import importlib
import struct
import zlib

from talosmq.errors import Reason, TalosError, invalid_argument

INFLATED_BYTES_MAX = 64 << 20

_GZIP = zlib.MAX_WBITS | 16
_SNAPPY_JAVA_MAGIC = b"\x82SNAPPY\0"
_SNAPPY_JAVA_HEADER_BYTES = 16
_SNAPPY_DENSITY_MAX = 22  # the format cannot do better, so a longer declared length is a lie


class Codec(enum.IntEnum):
    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


def parse_codec(name):
    try:
        codec = Codec[name.upper()]
    except (KeyError, AttributeError):
        names = ", ".join(c.name.lower() for c in Codec)
        raise invalid_argument(f"compression: expected one of {names}, found {name!r}") from None
    _require(codec)
    return codec


def compress(codec, data):
    match codec:
        case Codec.NONE:
            return data
        case Codec.GZIP:
            compressor = zlib.compressobj(wbits=_GZIP)
            return compressor.compress(data) + compressor.flush()
        case Codec.SNAPPY:
            return _require(codec).compress(data)
        case Codec.LZ4:
            lz4 = _require(codec)
            return lz4.compress(data, block_size=lz4.BLOCKSIZE_MAX64KB, block_linked=False, store_size=False)
        case Codec.ZSTD:
            return _require(codec).compress(data)


def inflate(codec, data, bytes_max=INFLATED_BYTES_MAX):
    """INVALID_RECORD: not what the codec says. BATCH_TOO_LARGE: more than bytes_max.
    UNSUPPORTED_COMPRESSION: the package is not installed, or there is no such codec."""
    try:
        match codec:
            case Codec.NONE:
                return data
            case Codec.GZIP:
                return _inflate_members(lambda: zlib.decompressobj(_GZIP), data, bytes_max)
            case Codec.SNAPPY:
                return _inflate_snappy(_require(Codec.SNAPPY), data, bytes_max)
            case Codec.LZ4:
                return _inflate_members(_require(Codec.LZ4).LZ4FrameDecompressor, data, bytes_max)
            case Codec.ZSTD:
                return _require(Codec.ZSTD).inflate(data, bytes_max)
    except TalosError:
        raise
    except OverflowError:
        raise TalosError(Reason.BATCH_TOO_LARGE,
                         f"records: expected at most {bytes_max} bytes once inflated, found more") from None
    except Exception as error:  # each package has types of its own
        raise TalosError(Reason.INVALID_RECORD, f"{Codec(codec).name.lower()}: {error}") from error
    raise TalosError(Reason.UNSUPPORTED_COMPRESSION, f"codec: expected 0 to 4, found {codec}")


_MODULES = {
    Codec.SNAPPY: ("snappy", "python3-snappy"),
    Codec.LZ4: ("lz4.frame", "python3-lz4"),
    Codec.ZSTD: ("talosmq.zstd", "libzstd1"),
}


def _require(codec):
    """The module that does the codec's work; None for those that Python itself does."""
    if codec not in _MODULES:
        return None
    module, package = _MODULES[codec]
    try:
        return importlib.import_module(module)
    except (ImportError, OSError):
        raise TalosError(
            Reason.UNSUPPORTED_COMPRESSION,
            f"{codec.name.lower()}: expected Debian's {package} to be installed, found it missing") from None


def _inflate_members(new_decompressor, data, bytes_max):
    """One or more complete streams, back to back."""
    out = bytearray()
    data = bytes(data)
    while data or not out:
        stream = new_decompressor()
        out += stream.decompress(data, bytes_max + 1 - len(out))
        if len(out) > bytes_max:
            raise OverflowError
        if not stream.eof:
            raise ValueError("the stream is cut off")
        data = stream.unused_data or b""
        if not data:
            break
    return bytes(out)


def _inflate_snappy(snappy, data, bytes_max):
    data = bytes(data)
    if not data.startswith(_SNAPPY_JAVA_MAGIC):
        return _inflate_snappy_block(snappy, data, bytes_max)
    out = bytearray()
    at = _SNAPPY_JAVA_HEADER_BYTES
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        at += 4
        if size < 0 or at + size > len(data):
            raise ValueError(f"block of {size} bytes at {at}, where {len(data) - at} are left")
        out += _inflate_snappy_block(snappy, data[at:at + size], bytes_max - len(out))
        at += size
    return bytes(out)


def _inflate_snappy_block(snappy, block, bytes_max):
    declared = shift = 0
    for byte in block[:5]:
        declared |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if declared > bytes_max:
        raise OverflowError
    if declared > _SNAPPY_DENSITY_MAX * len(block):
        raise ValueError(f"{len(block)} bytes cannot be {declared} once inflated")
    return snappy.uncompress(block)
