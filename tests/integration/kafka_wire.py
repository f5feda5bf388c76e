"""Kafka's protocol by hand, for what no client library would send; and batches to send with it."""

import socket
import struct

from record_batch import build, crc32c

PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS = 0, 1, 2, 3, 18
WAIT_SECONDS = 30
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")  # By their numbers in a batch.
TIME_MS = 1_700_000_000_000


def string(text):
    return struct.pack(">h", -1) if text is None else struct.pack(">h", len(text.encode())) + text.encode()


def array(*items):
    return struct.pack(">i", len(items)) + b"".join(items)


def byte_string(data):
    return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data


class Reader:
    """Takes fields off the front of an answer."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return values[0] if len(values) == 1 else values

    def raw(self, size):
        self.at += size
        return self.data[self.at - size:self.at]

    def string(self):
        size = self.take("h")
        return None if size < 0 else self.raw(size).decode()

    def bytes(self):
        size = self.take("i")
        return None if size < 0 else self.raw(size)

    def rest(self):
        return self.data[self.at:]


class Wire:
    """One connection."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), WAIT_SECONDS)
        self.correlation = 0

    def close(self):
        self.socket.close()

    def send(self, data):
        """As it is; a server that has gone already is no error here, since closed() tells."""
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def take(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ConnectionError("the server has closed the connection")
            data += part
        return data

    def is_closed(self):
        """Waits for the server to end the connection; what it still says does not count."""
        try:
            while self.socket.recv(4096):
                pass
        except ConnectionError:
            pass
        except TimeoutError:
            return False
        return True

    def request(self, key, version, body):
        self.correlation += 1
        frame = struct.pack(">hhi", key, version, self.correlation) + string("wire") + body
        self.send(struct.pack(">i", len(frame)) + frame)

    def answer(self):
        frame = Reader(self.take(struct.unpack(">i", self.take(4))[0]))
        assert frame.take("i") == self.correlation
        return frame

    def call(self, key, version, body):
        self.request(key, version, body)
        return self.answer()

    def api_versions(self, version=0, body=b""):
        """The error, and {key: (lowest, highest version)}."""
        reply = self.call(API_VERSIONS, version, body)
        error, count = reply.take("hi")
        entries = [reply.take("hhh") for _ in range(count)]
        return error, {key: (lowest, highest) for key, lowest, highest in entries}

    def produce(self, topic, partition, records, version=3, acks=-1, transactional_id=None):
        """The error and the base offset of one batch; nothing when none is to be acknowledged."""
        asked = string(topic) + array(struct.pack(">i", partition) + byte_string(records))
        self.request(PRODUCE, version, string(transactional_id) + struct.pack(">hi", acks, 30_000) + array(asked))
        if acks == 0:
            return None
        reply = self.answer()
        assert reply.take("i") == 1 and reply.string() == topic and reply.take("i") == 1
        _, error, base_offset = reply.take("ihq")
        return error, base_offset

    def fetch(self, topic, partition, offset, wait_ms=0, bytes_max=64 << 20):
        """The error, the high watermark and the stored bytes."""
        asked = string(topic) + array(struct.pack(">iqi", partition, offset, bytes_max))
        reply = self.call(FETCH, 4, struct.pack(">iiiib", -1, wait_ms, 1, bytes_max, 0) + array(asked))
        assert reply.take("ii") == (0, 1) and reply.string() == topic and reply.take("i") == 1
        _, error, high_watermark, _ = reply.take("ihqq")
        for _ in range(max(reply.take("i"), 0)):
            reply.take("qq")
        return error, high_watermark, reply.bytes()

    def offset_at(self, topic, partition, timestamp):
        """The error, the timestamp and the offset; -1 asks for the end, -2 for the start."""
        asked = string(topic) + array(struct.pack(">iq", partition, timestamp))
        reply = self.call(LIST_OFFSETS, 1, struct.pack(">i", -1) + array(asked))
        assert reply.take("i") == 1 and reply.string() == topic and reply.take("i") == 1
        return reply.take("ihqq")[1:]


def batch(*values, timestamp_ms=TIME_MS):
    return build([(None, value, []) for value in values], timestamp_ms)


def changed(data, at, form, value):
    """The batch with one field overwritten, under a CRC that is right again."""
    mutable = bytearray(data)
    struct.pack_into(">" + form, mutable, at, value)
    return with_crc(bytes(mutable))


def with_crc(data):
    return data[:17] + struct.pack(">I", crc32c(data[21:])) + data[21:]


# Where the fields of a batch are (docs/formats/record-batch.md).
BASE_OFFSET, LENGTH, MAGIC, ATTRIBUTES, LAST_DELTA, PRODUCER_ID, COUNT = 0, 8, 16, 21, 23, 43, 57


def codecs_of(data):
    """The codec that each stored batch names."""
    codecs = []
    while data:
        codecs.append(CODECS[struct.unpack_from(">h", data, ATTRIBUTES)[0] & 7])
        data = data[12 + struct.unpack_from(">i", data, LENGTH)[0]:]
    return codecs
