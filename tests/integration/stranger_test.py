"""What strangers may take: huge messages, connections and streams that say nothing, slow clients.

After each the next client is served in time, and the server's memory has stayed below a bound.
"""

import pathlib
import select
import socket
import subprocess
import tempfile
import time
import unittest

import http2
from talosmq_process import Server, talosmq

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MIB = 1 << 20
CONTROL_BYTES_MAX = MIB
RECEIVE_BYTES_MAX = 24 * MIB
STREAMS_MAX = 1000
SERVED_SECONDS = 5
HANDSHAKE_SECONDS = 10
# Growth above what the server had before.
MEMORY_GROWTH_MAX = 200 * MIB
TRANSPORT_BYTES_MAX = 512 * MIB
OK, RESOURCE_EXHAUSTED = b"grpc-status\x010", b"grpc-status\x018"
PRODUCE, FETCH = "/talosmq.v1.MessageService/Produce", "/talosmq.v1.MessageService/Fetch"


def memory(server, line):
    """A line of /proc/PID/status in bytes: VmRSS, or VmHWM for the most it ever was."""
    for entry in pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if entry.startswith(line):
            return int(entry.split()[1]) * 1024
    raise AssertionError(f"no {line}")


def open_files(server):
    return len(list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir()))


def connect(address):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=http2.TIMEOUT_SECONDS)


def load_methods():
    """Every method of the services: its path and the descriptor of its request."""
    from google.protobuf import descriptor_pb2, descriptor_pool
    with tempfile.NamedTemporaryFile() as out:
        names = [f"talosmq/v1/{p.name}" for p in sorted((ROOT / "proto/talosmq/v1").glob("*.proto"))]
        subprocess.run(["protoc", "-I", ROOT / "proto", "--include_imports", f"--descriptor_set_out={out.name}",
                        *names], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    for file in files.file:
        for service in file.service:
            for method in service.method:
                yield (f"/{file.package}.{service.name}/{method.name}",
                       pool.FindMessageTypeByName(method.input_type.lstrip(".")))


def tag(number, wire_type):
    return varint(number << 3 | wire_type)


def varint(value):
    out = []
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + [value])


def huge_fields(descriptor, size):
    """Bodies of at most `size` bytes, each with one repeated field full of the smallest entries."""
    for field in descriptor.fields:
        is_text = field.type in (field.TYPE_MESSAGE, field.TYPE_BYTES, field.TYPE_STRING)
        if field.label == field.LABEL_REPEATED:
            entry = tag(field.number, 2) + b"\0" if is_text else tag(field.number, 0) + b"\1"
            yield field.full_name, entry * (size // len(entry))
            if not is_text:
                body = b"\1" * (size - 8)
                yield f"{field.full_name} packed", tag(field.number, 2) + varint(len(body)) + body
        if field.type == field.TYPE_MESSAGE:
            for name, body in huge_fields(field.message_type, size - 8):
                yield f"{field.full_name} > {name}", tag(field.number, 2) + varint(len(body)) + body
    entry = tag(1000, 2) + b"\0"
    yield f"{descriptor.full_name} unknown", entry * (size // len(entry))


class StrangerTest(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.assert_next_client_is_served()
        self.before = memory(self.server, "VmRSS")
        self.open = []  # Sockets that stay open until the end of the test.
        self.addCleanup(lambda: [stranger.close() for stranger in self.open])

    def assert_next_client_is_served(self):
        begin = time.monotonic()
        status, _, err = talosmq(self.server, "topic", "list", timeout=SERVED_SECONDS)
        self.assertEqual(status, 0, err)
        with connect(self.server.http) as scraper:
            scraper.sendall(b"GET /health HTTP/1.1\r\nHost: mq\r\n\r\n")
            self.assertIn(b"200 OK", scraper.recv(64))
        self.assertLess(time.monotonic() - begin, SERVED_SECONDS)

    def assert_memory_is_bounded(self, bound=MEMORY_GROWTH_MAX):
        self.assertLess(memory(self.server, "VmHWM") - self.before, bound)

    def connect_http2(self):
        stranger = http2.Connection(self.server.address)
        self.open.append(stranger.socket)
        return stranger

    def test_huge_repeated_fields(self):
        shapes = 0
        for method, descriptor in load_methods():
            sizes = (CONTROL_BYTES_MAX,)
            if method.endswith(("/Produce", "/ProduceOnce")):
                sizes += (RECEIVE_BYTES_MAX - 64,)
            for size in sizes:
                for name, body in huge_fields(descriptor, size):
                    with self.subTest(method=method, field=name, size=size):
                        with http2.Connection(self.server.address) as stranger:
                            stranger.open(1, method)
                            stranger.send_message(1, body)
                            self.assertTrue(stranger.wait_for_end(1))
                    shapes += 1
        self.assertGreater(shapes, 30)
        self.assert_next_client_is_served()
        self.assert_memory_is_bounded()

    def test_a_message_above_its_bound_ends_its_call(self):
        for size, method in ((CONTROL_BYTES_MAX + 1, "/talosmq.v1.TopicService/ListTopics"),
                             (RECEIVE_BYTES_MAX + 1, "/talosmq.v1.MessageService/ProduceOnce")):
            stranger = self.connect_http2()
            stranger.open(1, method)
            stranger.send_message(1, b"\0" * size)
            self.assertTrue(stranger.is_alive())
        self.assert_memory_is_bounded()

    def test_headers_above_their_bound_end_their_call(self):
        stranger = self.connect_http2()
        for stream, size, is_too_much in ((1, 8 << 10, False), (3, 17 << 10, True)):
            block = http2.request_headers("/talosmq.v1.TopicService/ListTopics", [(b"x", b"y" * size)])
            stranger.send_headers(block, stream=stream)
            stranger.send_message(stream, b"")
            answer = stranger.answer(stream)
            self.assertEqual(RESOURCE_EXHAUSTED in answer, is_too_much, answer)
            self.assertEqual(OK in answer, not is_too_much, answer)

    def test_unfinished_messages_of_all_connections_together(self):
        unfinished = http2.message(b"\0" * (RECEIVE_BYTES_MAX - MIB))[:-1]
        for _ in range(40):
            stranger = self.connect_http2()
            stranger.open(1, "/talosmq.v1.MessageService/ProduceOnce")
            stranger.send_body(1, unfinished)
        self.assert_next_client_is_served()
        self.assert_memory_is_bounded(TRANSPORT_BYTES_MAX + MEMORY_GROWTH_MAX)

    def test_a_thousand_half_open_connections(self):
        files = open_files(self.server)
        begin = time.monotonic()
        for i in range(1000):
            self.open.append(connect(self.server.address))
            self.open[-1].sendall((b"", http2.PREFACE[:10], http2.PREFACE, b"\x16\x03\x01")[i % 4])
        for _ in range(200):
            self.open.append(connect(self.server.http))
        self.assert_next_client_is_served()
        self.assert_memory_is_bounded()
        # Who has not said in time who he is, is gone, and his descriptor is free.
        while open_files(self.server) > files + 5:
            self.assertLess(time.monotonic() - begin, 2 * HANDSHAKE_SECONDS)
            select.select([], [], [], 0.1)
        self.assertGreater(time.monotonic() - begin, HANDSHAKE_SECONDS * 0.9)

    def test_a_thousand_idle_streams(self):
        for method in (PRODUCE, FETCH):
            stranger = self.connect_http2()
            for i in range(STREAMS_MAX):
                stranger.open(2 * i + 1, method)
            self.assertTrue(stranger.is_alive())
        self.assert_next_client_is_served()
        self.assert_memory_is_bounded()

    def test_no_more_streams_than_stated(self):
        stranger = self.connect_http2()
        self.assertEqual(stranger.setting(3), STREAMS_MAX)
        for i in range(STREAMS_MAX + 1):
            stranger.open(2 * i + 1, FETCH)
        self.assertIn(stranger.receive_kind(http2.RST_STREAM, http2.GOAWAY), (http2.RST_STREAM, http2.GOAWAY))


if __name__ == "__main__":
    unittest.main()
