"""Which partition a key belongs to: the one that Kafka's Java client and our C++ SDK choose."""

_SEED = 0x9747B28C
_MIX = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data):
    value = (_SEED ^ len(data)) & _MASK
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at:at + 4], "little") * _MIX & _MASK
        word ^= word >> 24
        value = (value * _MIX & _MASK) ^ (word * _MIX & _MASK)
    if whole < len(data):
        value ^= int.from_bytes(data[whole:], "little")
        value = value * _MIX & _MASK
    value ^= value >> 13
    value = value * _MIX & _MASK
    return value ^ (value >> 15)


def partition_of_key(key, partition_count):
    return (murmur2(key) & 0x7FFFFFFF) % partition_count
