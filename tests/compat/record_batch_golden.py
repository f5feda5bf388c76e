#!/usr/bin/env python3
"""Writes the golden record batches below data/record_batch, by the specification alone.

Nothing here comes from the C++ code: varints, CRC-32C, xxHash and the framings are written out from
docs/formats/record-batch.md and the codecs' own specifications; gzip is Python's, the inner blocks
of snappy, lz4 and zstd come from the system's libraries. The files are committed and never change
for a format version; run this only to add one.
"""

import ctypes
import gzip
import pathlib
import struct

DATA = pathlib.Path(__file__).parent / "data" / "record_batch"
T0 = 1_700_000_000_000

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 0x08, 0x10, 0x20


def varint(value):
    rest = (value << 1) ^ (value >> 63)
    out = bytearray()
    while rest >= 0x80:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def field(value):
    return varint(-1) if value is None else varint(len(value)) + value


def record(timestamp_delta, offset_delta, key, value, headers=()):
    body = b"\0" + varint(timestamp_delta) + varint(offset_delta) + field(key) + field(value)
    body += varint(len(headers)) + b"".join(field(k) + field(v) for k, v in headers)
    return varint(len(body)) + body


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def batch(records, count, max_timestamp, attributes=0, base_offset=0, epoch=-1, last_delta=None,
          base_timestamp=T0, producer=(-1, -1, -1)):
    last_delta = count - 1 if last_delta is None else last_delta
    covered = struct.pack(">HiqqqhiI", attributes, last_delta, base_timestamp, max_timestamp,
                          *producer, count) + records
    rest = struct.pack(">ibI", epoch, 2, crc32c(covered)) + covered
    return struct.pack(">qi", base_offset, len(rest)) + rest


MIXED = b"".join([
    record(0, 0, b"k1", b"value one"),
    record(5, 1, None, b"no key"),
    record(-2, 2, b"", b""),
    record(1000, 3, b"k2", None, [(b"trace", b"a"), (b"trace", b"b"), (b"", None), (b"empty", b"")]),
    record(1000, 4, b"long", b"x" * 200),
])


def mixed(compressed, codec):
    return batch(compressed, 5, T0 + 1000, codec)


def gzip_member(data):
    return gzip.compress(data, mtime=0)


def through(library, function, data, *extra):
    """Calls size_t function(dst, capacity, src, length, extra...) of a system library."""
    call = getattr(ctypes.CDLL(library), function)
    call.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(2 * len(data) + 256)
    size = call(out, ctypes.c_size_t(len(out)), data, ctypes.c_size_t(len(data)), *extra)
    return out.raw[:size]


def snappy_block(data):
    out = ctypes.create_string_buffer(2 * len(data) + 64)
    size = ctypes.c_size_t(len(out))
    library = ctypes.CDLL("libsnappy.so.1")
    assert library.snappy_compress(data, ctypes.c_size_t(len(data)), out, ctypes.byref(size)) == 0
    return out.raw[:size.value]


def xerial(*blocks):
    framed = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
    return framed + b"".join(struct.pack(">i", len(b)) + b for b in map(snappy_block, blocks))


def rotate(value, bits):
    return (value << bits | value >> (32 - bits)) & 0xFFFFFFFF


def xxh32(data):
    """xxHash32 with seed 0 of fewer than 16 bytes: all that a frame header needs."""
    assert len(data) < 16
    state = (374761393 + len(data)) & 0xFFFFFFFF
    while len(data) >= 4:
        state = (state + struct.unpack("<I", data[:4])[0] * 3266489917) & 0xFFFFFFFF
        state = rotate(state, 17) * 668265263 & 0xFFFFFFFF
        data = data[4:]
    for byte in data:
        state = (state + byte * 374761393) & 0xFFFFFFFF
        state = rotate(state, 11) * 2654435761 & 0xFFFFFFFF
    state = (state ^ state >> 15) * 2246822519 & 0xFFFFFFFF
    state = (state ^ state >> 13) * 3266489917 & 0xFFFFFFFF
    return state ^ state >> 16


def lz4_block(data):
    out = ctypes.create_string_buffer(2 * len(data) + 64)
    size = ctypes.CDLL("liblz4.so.1").LZ4_compress_default(data, out, len(data), len(out))
    return out.raw[:size]


def lz4_frame(compressed, stored, content_size):
    """Version 1, independent blocks of at most 64 KiB: one compressed, one stored as it is."""
    descriptor = bytes([0x68 if content_size else 0x60, 0x40])
    if content_size:
        descriptor += struct.pack("<Q", len(compressed) + len(stored))
    block = lz4_block(compressed)
    return (struct.pack("<I", 0x184D2204) + descriptor + bytes([xxh32(descriptor) >> 8 & 0xFF])
            + struct.pack("<I", len(block)) + block
            + struct.pack("<I", len(stored) | 0x80000000) + stored
            + struct.pack("<I", 0))


def zstd_frame(data):
    return through("libzstd.so.1", "ZSTD_compress", data, ctypes.c_int(3))


def zstd_raw_frame(data):
    """A frame by hand: window of 1 KiB, no content size, no checksum, one raw last block."""
    return b"\x28\xb5\x2f\xfd" + b"\x00\x00" + struct.pack("<I", len(data) << 3 | 1)[:3] + data


GOLDEN = {
    "none": ("Five records, as sent, uncompressed.", mixed(MIXED, NONE)),
    "gzip": ("The same, one gzip member.", mixed(gzip_member(MIXED), GZIP)),
    "gzip_members": ("The same, two gzip members.",
                     mixed(gzip_member(MIXED[:30]) + gzip_member(MIXED[30:]), GZIP)),
    "snappy_raw": ("The same, one raw snappy block.", mixed(snappy_block(MIXED), SNAPPY)),
    "snappy_xerial": ("The same, framed as Java's snappy library does, two blocks.",
                      mixed(xerial(MIXED[:100], MIXED[100:]), SNAPPY)),
    "lz4": ("The same, an lz4 frame of a compressed and a stored block.",
            mixed(lz4_frame(MIXED[:-20], MIXED[-20:], False), LZ4)),
    "lz4_content_size": ("The same, with the content size in the frame.",
                         mixed(lz4_frame(MIXED[:-20], MIXED[-20:], True), LZ4)),
    "zstd": ("The same, one zstd frame with its content size.", mixed(zstd_frame(MIXED), ZSTD)),
    "zstd_frames": ("The same, two zstd frames, the first a stored one without content size.",
                    mixed(zstd_raw_frame(MIXED[:50]) + zstd_frame(MIXED[50:]), ZSTD)),
    "idempotent": ("One record of producer 4711, epoch 2, sequence 99.",
                   batch(record(0, 0, b"k", b"v"), 1, T0, producer=(4711, 2, 99))),
    "compacted": ("Offsets 1003 and 1009 of [1000, 1010), epoch 7.",
                  batch(record(3, 3, b"a", b"1") + record(9, 9, b"b", b"2"), 2, T0 + 9,
                        base_offset=1000, epoch=7, last_delta=9)),
    "emptied": ("All records of [1000, 1010) compacted away, once zstd.",
                batch(b"", 0, T0, ZSTD, base_offset=1000, epoch=7, last_delta=9)),
    "log_append_time": ("One record stamped by the broker at T0 + 77.",
                        batch(record(0, 0, None, b"v"), 1, T0 + 77, LOG_APPEND_TIME, 5, 1)),
    "commit_marker": ("The control batch that commits a transaction of producer 4711.",
                      batch(record(0, 0, struct.pack(">hh", 0, 1), struct.pack(">hi", 0, 3)), 1,
                            T0, TRANSACTIONAL | CONTROL, 50, 1, producer=(4711, 2, -1))),
}


def hex_lines(data):
    return "".join(data[i:i + 16].hex(" ") + "\n" for i in range(0, len(data), 16))


def main():
    DATA.mkdir(parents=True, exist_ok=True)
    for name, (words, data) in GOLDEN.items():
        (DATA / f"{name}.hex").write_text(f"# {words} {len(data)} bytes.\n{hex_lines(data)}")


if __name__ == "__main__":
    main()
