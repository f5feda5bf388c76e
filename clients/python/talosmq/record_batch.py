"""RecordBatch v2 (docs/formats/record-batch.md): building and reading."""

import struct
import typing

from talosmq import codecs
from talosmq.crc32c import crc32c
from talosmq.errors import Reason, TalosError, invalid_argument

_HEADER = struct.Struct(">qiibIhiqqqhii")
_AFTER_CRC = struct.Struct(">hiqqqhii")
HEADER_BYTES = _HEADER.size  # 61
_CRC_FROM = 21  # the CRC is of all bytes from here on
_LENGTH_FROM = 12  # the length is of all bytes from here on
_BEFORE_CRC = struct.Struct(">qiibI")

_MAGIC = 2
_CODEC_MASK = 0x07
_LOG_APPEND_TIME = 0x08
_CONTROL = 0x20

_INT64_MAX = (1 << 63) - 1
_ONE_BYTE = [bytes([(n << 1) & 0xFF]) for n in range(64)]


def _varint(value):
    if 0 <= value < 64:
        return _ONE_BYTE[value]
    value = value << 1 if value >= 0 else ~(value << 1)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_NULL = _varint(-1)


def _field(data):
    return _NULL if data is None else _varint(len(data)) + data


def encode_record(offset_delta, timestamp_delta, key, value, headers):
    """headers: (str, bytes or None) each."""
    parts = [b"\0", _varint(timestamp_delta), _varint(offset_delta), _field(key), _field(value), _varint(len(headers))]
    for name, content in headers:
        parts += (_field(name.encode(errors="surrogateescape")), _field(content))
    body = b"".join(parts)
    return _varint(len(body)) + body


class BatchBuilder:
    """One batch: records are appended, then it is sealed once, then stamped as often as need be."""

    def __init__(self, codec):
        self.codec = codec
        self.count = 0
        self.encoded_bytes = HEADER_BYTES  # before compression
        self._records = []
        self._base_timestamp_ms = 0
        self._max_timestamp_ms = 0
        self._body = None

    def append(self, key, value, headers, timestamp_ms):
        if self.count == 0:
            self._base_timestamp_ms = self._max_timestamp_ms = timestamp_ms
        record = encode_record(self.count, timestamp_ms - self._base_timestamp_ms, key, value, headers)
        self._records.append(record)
        self._max_timestamp_ms = max(self._max_timestamp_ms, timestamp_ms)
        self.count += 1
        self.encoded_bytes += len(record)

    def seal(self):
        """Compresses. Nothing is appended from now on."""
        self._body = codecs.compress(self.codec, b"".join(self._records))
        self._records = None

    def stamp(self, producer_id=-1, producer_epoch=-1, base_sequence=-1):
        """The bytes of the batch, under this producer's identity and sequence."""
        after_crc = _AFTER_CRC.pack(self.codec, self.count - 1, self._base_timestamp_ms, self._max_timestamp_ms,
                                    producer_id, producer_epoch, base_sequence, self.count) + self._body
        before_crc = _BEFORE_CRC.pack(0, HEADER_BYTES - _LENGTH_FROM + len(self._body), -1, _MAGIC, crc32c(after_crc))
        return before_crc + after_crc


def check_record(key, value, headers, timestamp_ms):
    """INVALID_ARGUMENT unless these make a record."""
    for name, field in (("key", key), ("value", value)):
        if field is not None and not isinstance(field, bytes):
            raise invalid_argument(f"{name}: expected bytes or None, found {type(field).__name__}")
    for header in headers:
        is_header = (isinstance(header, tuple) and len(header) == 2 and isinstance(header[0], str)
                     and (header[1] is None or isinstance(header[1], bytes)))
        if not is_header:
            raise invalid_argument(f"header: expected (str, bytes or None), found {header!r}")
    if not 0 <= timestamp_ms <= _INT64_MAX:
        raise invalid_argument(f"timestamp_ms: expected 0 to {_INT64_MAX}, found {timestamp_ms}")


class ReadBatch(typing.NamedTuple):
    """A batch as it was read; records are (offset, timestamp_ms, key, value, headers) each."""

    next_offset: int
    leader_epoch: int
    records: list


def read_batches(data):
    """Yields a ReadBatch for each of the whole batches in `data`; control batches have no records.

    CORRUPT_BATCH: these are not the bytes that were written. INVALID_RECORD: they are, and make no
    sense inside; corrupt_range names the offsets of the batch. UNSUPPORTED_COMPRESSION.
    """
    data = memoryview(data)
    at = 0
    while at < len(data):
        batch = _whole_batch(data, at)
        yield _read_batch(batch)
        at += len(batch)


def _whole_batch(data, at):
    left = len(data) - at
    if left < HEADER_BYTES:
        raise _corrupt(f"batch at byte {at}: expected {HEADER_BYTES} bytes of header, found {left}")
    base_offset, length, _, magic, crc = _BEFORE_CRC.unpack_from(data, at)
    if magic != _MAGIC:
        raise _corrupt(f"batch at byte {at}: expected magic {_MAGIC}, found {magic}")
    size = _LENGTH_FROM + length
    if not HEADER_BYTES <= size <= left:
        raise _corrupt(f"batch at offset {base_offset}: expected {HEADER_BYTES} to {left} bytes, found {size}")
    found = crc32c(data[at + _CRC_FROM:at + size])
    if found != crc:
        raise _corrupt(f"batch at offset {base_offset}: expected crc {crc:08x}, found {found:08x}")
    return data[at:at + size]


def _read_batch(batch):
    (base_offset, _, leader_epoch, _, _, attributes, last_delta, base_timestamp_ms, max_timestamp_ms, _, _, _,
     count) = _HEADER.unpack_from(batch)
    next_offset = base_offset + last_delta + 1
    if attributes & _CONTROL or len(batch) == HEADER_BYTES and count == 0:
        return ReadBatch(next_offset, leader_epoch, [])
    stamped = max_timestamp_ms if attributes & _LOG_APPEND_TIME else None
    try:
        body = bytes(codecs.inflate(attributes & _CODEC_MASK, batch[HEADER_BYTES:]))
        records = _read_records(body, count, last_delta, base_offset, base_timestamp_ms, stamped)
    except TalosError as error:
        raise TalosError(error.reason, f"batch at offset {base_offset}: {error.message}",
                         corrupt_range=(base_offset, next_offset)) from None
    except (ValueError, IndexError) as error:
        raise TalosError(Reason.INVALID_RECORD, f"batch at offset {base_offset}: {error}",
                         corrupt_range=(base_offset, next_offset)) from None
    return ReadBatch(next_offset, leader_epoch, records)


def _corrupt(message):
    return TalosError(Reason.CORRUPT_BATCH, message)


def _read_records(body, count, last_delta, base_offset, base_timestamp_ms, stamped):
    records = []
    reader = _Reader(body)
    previous = -1
    for number in range(count):
        end = reader.record_end()
        reader.at += 1  # attributes
        timestamp_delta = reader.varint(64)
        delta = reader.varint(32)
        key = reader.field()
        value = reader.field()
        headers = tuple(reader.header() for _ in range(reader.count()))
        if reader.at != end:
            raise ValueError(f"record {number}: expected to end at byte {end}, found its end at {reader.at}")
        if not previous < delta <= last_delta:
            raise ValueError(
                f"record {number}: expected an offset delta of {previous + 1} to {last_delta}, found {delta}")
        previous = delta
        timestamp_ms = base_timestamp_ms + timestamp_delta if stamped is None else stamped
        records.append((base_offset + delta, timestamp_ms, key, value, headers))
    if reader.at != len(body):
        raise ValueError(f"expected {count} records in {reader.at} bytes, found {len(body)} bytes")
    return records


class _Reader:
    """Takes what a record is made of from bytes; ValueError or IndexError when it is not there."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def varint(self, bits):
        data, at = self.data, self.at
        value = data[at]
        at += 1
        if value > 0x7F:
            value &= 0x7F
            shift = 7
            while True:
                byte = data[at]
                at += 1
                value |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
                shift += 7
                if shift >= bits:
                    raise ValueError(f"varint at byte {self.at}: longer than {bits} bits")
            if value >> bits:
                raise ValueError(f"varint at byte {self.at}: more than {bits} bits")
        self.at = at
        return (value >> 1) ^ -(value & 1)

    def record_end(self):
        length = self.varint(32)
        left = len(self.data) - self.at
        if not 1 <= length <= left:
            raise ValueError(f"record before byte {self.at}: expected a length of 1 to {left}, found {length}")
        return self.at + length

    def field(self):
        size = self.varint(32)
        if size < 0:
            if size != -1:
                raise ValueError(f"field at byte {self.at}: expected a length of -1 or more, found {size}")
            return None
        start = self.at
        self.at = start + size
        if self.at > len(self.data):
            raise ValueError(f"field at byte {start}: expected {size} bytes, found {len(self.data) - start}")
        return self.data[start:self.at]

    def count(self):
        count = self.varint(32)
        if not 0 <= count <= len(self.data) - self.at:
            raise ValueError(f"headers at byte {self.at}: expected a count of 0 or more, found {count}")
        return count

    def header(self):
        name = self.field()
        if name is None:
            raise ValueError(f"header at byte {self.at}: expected a name, found null")
        return name.decode(errors="surrogateescape"), self.field()
