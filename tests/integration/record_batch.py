"""RecordBatch v2 in plain Python, from docs/formats/record-batch.md alone."""

import struct


def _make_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _make_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _varint(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(data):
    return _varint(-1) if data is None else _varint(len(data)) + data


def build(records, timestamp_ms):
    """records: (key or None, value or None, [(header, value)]) each; all stamped alike."""
    body = b""
    for delta, (key, value, headers) in enumerate(records):
        record = b"\0" + _varint(0) + _varint(delta) + _field(key) + _field(value)
        record += _varint(len(headers))
        for name, content in headers:
            record += _field(name) + _field(content)
        body += _varint(len(record)) + record
    after_crc = struct.pack(">hiqqqhii", 0, len(records) - 1, timestamp_ms, timestamp_ms, -1, -1,
                            -1, len(records)) + body
    after_length = struct.pack(">ibI", -1, 2, crc32c(after_crc)) + after_crc
    return struct.pack(">qi", 0, len(after_length)) + after_length


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def varint(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)

    def take(self, size):
        self.at += size
        return self.data[self.at - size:self.at]

    def field(self):
        size = self.varint()
        return None if size < 0 else self.take(size)


def read(data):
    """Yields (offset, timestamp_ms, key, value, headers) of uncompressed batches, back to back."""
    while data:
        base_offset, length, _, magic, crc = struct.unpack_from(">qiibI", data)
        batch, data = data[:length + 12], data[length + 12:]
        assert magic == 2, magic
        assert crc == crc32c(batch[21:]), "crc mismatch at offset %d" % base_offset
        base_timestamp, count = struct.unpack_from(">q", batch, 27)[0], struct.unpack_from(">i", batch, 57)[0]
        reader = _Reader(batch[61:])
        for _ in range(count):
            reader.varint()
            reader.take(1)
            timestamp = base_timestamp + reader.varint()
            offset = base_offset + reader.varint()
            key, value = reader.field(), reader.field()
            headers = [(reader.field(), reader.field()) for _ in range(reader.varint())]
            yield offset, timestamp, key, value, headers
