"""CRC-32C (Castagnoli): by the package crc32c (Debian: python3-crc32c), which uses the processor's
instruction, or else by a table in Python, which is several hundred times slower."""


def _make_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


def crc32c_by_table(data):
    table = _TABLE
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


_TABLE = _make_table()

try:
    from crc32c import crc32c

    IS_FAST = True
except ImportError:
    crc32c = crc32c_by_table
    IS_FAST = False
