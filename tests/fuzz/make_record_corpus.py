#!/usr/bin/env python3
"""Writes the seeds of the record batch and decompressor fuzzers below corpus/.

Sound inputs are the golden batches of tests/compat; the others break one thing each, so that every
branch that refuses something is replayed on every change. What a fuzzer finds is added as a file of
its own, named after the fault.
"""

import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "compat"))
import record_batch_golden as golden  # noqa: E402

HEADER_BYTES = 61
CODECS = {"gzip": golden.GZIP, "snappy": golden.SNAPPY, "lz4": golden.LZ4, "zstd": golden.ZSTD}


def patched(data, position, patch):
    return data[:position] + patch + data[position + len(patch):]


def one(record, attributes=0):
    return golden.batch(record, 1, golden.T0, attributes)


def broken_batches():
    sound = golden.GOLDEN["none"][1]
    yield "empty", b""
    yield "header_cut", sound[:60]
    yield "header_only", golden.batch(b"", 0, 0)
    yield "zeros", bytes(128)
    yield "body_cut", sound[:-1]
    yield "tail", sound + b"\0"
    yield "two_batches", sound + sound
    yield "magic_1", patched(sound, 16, b"\x01")
    yield "length_negative", patched(sound, 8, b"\xff\xff\xff\xff")
    yield "length_largest", patched(sound, 8, b"\x7f\xff\xff\xff")
    yield "base_offset_largest", patched(sound, 0, b"\x7f" + b"\xff" * 7)
    yield "crc_wrong", patched(sound, 17, b"\0\0\0\0")
    yield "count_largest", golden.batch(golden.MIXED, 0x7FFFFFFF, 0)
    yield "count_negative", golden.batch(golden.MIXED, 5, 0, last_delta=-1)
    yield "codec_5", one(golden.MIXED, 5)
    yield "codec_7", one(golden.MIXED, 7)
    yield "timestamp_overflow", golden.batch(golden.record(1, 0, None, None), 1, 0,
                                             base_timestamp=(1 << 63) - 1)
    yield "record_length_zero", one(golden.varint(0))
    yield "record_length_negative", one(golden.varint(-1))
    yield "record_length_largest", one(golden.varint(0x7FFFFFFF) + b"\0" * 20)
    yield "varint_too_long", one(b"\xff" * 12)
    yield "varlong_too_long", one(golden.varint(20) + b"\0" + b"\xff" * 11 + b"\0" * 8)
    yield "key_beyond_record", one(golden.varint(6) + b"\0\0\0" + golden.varint(9) + b"\1\0")
    yield "value_beyond_record", one(golden.varint(6) + b"\0\0\0\1" + golden.varint(40) + b"\0")
    yield "key_length_minus_2", one(golden.varint(6) + b"\0\0\0" + golden.varint(-2) + b"\1\0")
    yield "headers_largest", one(golden.varint(10) + b"\0\0\0\1\1" + golden.varint(0x7FFFFFFF))
    yield "header_key_null", one(golden.varint(8) + b"\0\0\0\1\1\2\1\1")
    yield "body_left_over", one(golden.record(0, 0, None, None) + b"x")
    yield "record_left_over", one(golden.varint(7) + b"\0\0\0\1\1\0x")
    for name, codec in CODECS.items():
        yield f"{name}_of_nothing", one(b"", codec)
        yield f"{name}_of_noise", one(bytes(range(256)), codec)


def broken_streams(sound):
    yield "empty", b""
    yield "one_byte", sound[:1]
    yield "cut", sound[:-1]
    yield "half", sound[:len(sound) // 2]
    yield "tail", sound + b"tail"
    yield "twice", sound + sound
    yield "noise", bytes(range(256))
    for position in range(0, min(len(sound), 24), 3):
        yield f"flipped_{position}", patched(sound, position, bytes([sound[position] ^ 0x55]))


def special_streams(name):
    if name == "gzip":
        yield "bomb", golden.gzip_member(bytes(2 << 20))
    elif name == "snappy":
        yield "declares_4_gib", b"\xff\xff\xff\xff\x0f\0a"
        yield "xerial_block_beyond", golden.xerial(b"x")[:16] + struct.pack(">i", 1 << 30) + b"x"
        yield "xerial_block_empty", golden.xerial(b"x") + struct.pack(">i", 0)
        yield "xerial_header_alone", golden.xerial()
        yield "bomb", golden.snappy_block(bytes((1 << 20) + 1))
    elif name == "lz4":
        yield "bomb", golden.lz4_frame(bytes(1 << 16), b"", False)
        yield "dependent_blocks", patched(golden.lz4_frame(b"a" * 40, b"", False), 4, b"\x40")
        yield "block_beyond", golden.lz4_frame(b"a" * 40, b"", False)[:7] + b"\xff\xff\xff\x7f"
    elif name == "zstd":
        yield "bomb", golden.zstd_frame(bytes(2 << 20))
        yield "window_2_28", b"\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00"
        yield "window_2_27", b"\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00"
        yield "content_2_56", b"\x28\xb5\x2f\xfd\xc0\x00" + struct.pack("<Q", 1 << 56) + b"\x01\0\0"
        yield "skippable", b"\x50\x2a\x4d\x18\0\0\0\0"


def write(corpus, seeds):
    folder = HERE / "corpus" / corpus
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds:
        (folder / name).write_bytes(data)


def main():
    sound = [(name, data) for name, (_, data) in golden.GOLDEN.items()]
    write("record_batch", sound + list(broken_batches()))
    for name in CODECS:
        streams = [(n, data[HEADER_BYTES:]) for n, data in sound if n.startswith(name)]
        write(f"inflate_{name}",
              streams + list(broken_streams(streams[0][1])) + list(special_streams(name)))


if __name__ == "__main__":
    main()
