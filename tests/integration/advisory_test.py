"""The attack of each advisory that gRPC 1.51 is affected by, on a server on loopback.

What each does to a plain port is compared with the table in docs/security.md; without a client
certificate none gets past the handshake of a port with mutual TLS. Every attack is bounded.
"""

import pathlib
import re
import resource
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import unittest

import http2
from certificates import Authority
from talosmq_process import Server, talosmq

SECURITY = pathlib.Path(__file__).resolve().parent.parent.parent / "docs/security.md"
MIB = 1 << 20
METHOD = "/talosmq.v1.TopicService/ListTopics"
SERVED_SECONDS = 10
HUGE_BYTES = 4 * MIB
FEW_DESCRIPTORS = 256
SURVIVES, CLOSED, ABORTS = "goes on", "connection closed", "process aborts"
GROWS = ", memory grows with what is sent"


def huge_header(connection):
    connection.send_headers(http2.request_headers(METHOD, [(b"x", b"a" * HUGE_BYTES)]))


def many_continuations(connection):
    block = http2.request_headers(METHOD) + http2.literal(b"x", b"y" * 20) * 4000
    connection.send_headers(block, 16)


def padded_integer(connection):
    # The length of an empty value, with zeros that mean nothing.
    block = b"\x00" + http2.string(b"x") + b"\x7f" + b"\x80" * (HUGE_BYTES // 2) + b"\x00"
    connection.send_headers(http2.request_headers(METHOD) + block + b"a" * 127)


def bad_te_and_scheme(connection):
    # What comes after the bad header takes the whole past what is allowed.
    filler = [(b"x-%d" % i, b"y" * 1000) for i in range(20)]
    for number, name in enumerate((b"te", b":scheme", b"grpclb_client_stats")):
        block = http2.request_headers(METHOD, filler, {name: b"bad"})
        connection.send_headers(block, stream=2 * number + 1)


def bad_base64(connection):
    block = http2.request_headers(METHOD, [(b"x-bin", b"!!! not base64 !!!")])
    connection.send_frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 1, block)


def rapid_reset(connection):
    block = http2.request_headers(METHOD)
    cancel = struct.pack(">I", 8)
    for first in range(0, 5000, 100):
        connection.send(b"".join(
            http2.frame(http2.HEADERS, http2.END_HEADERS, 2 * i + 1, block) +
            http2.frame(http2.RST_STREAM, 0, 2 * i + 1, cancel) for i in range(first, first + 100)))


def storm(address):
    """More connections than there are descriptors; half are aborted, half stay until the end."""
    host, port = address.rsplit(":", 1)
    held = []
    for i in range(4 * FEW_DESCRIPTORS):
        stranger = socket.create_connection((host, int(port)), timeout=http2.TIMEOUT_SECONDS)
        if i % 2:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stranger.close()
        else:
            held.append(stranger)
    return held


ATTACKS = {
    "CVE-2023-33953 huge header": huge_header,
    "CVE-2023-33953 many CONTINUATION frames": many_continuations,
    "CVE-2023-33953 padded integer": padded_integer,
    "CVE-2023-1428 bad te and scheme": bad_te_and_scheme,
    "CVE-2023-32732 bad base64": bad_base64,
    "CVE-2023-44487 rapid reset": rapid_reset,
}
STORM = "CVE-2023-4785 connection storm"


def recorded():
    """Attack and outcome, as the table in the page has them."""
    rows = re.findall(r"^\| (CVE-\S+ [^|]+?) \| ([^|]+?) \|$", SECURITY.read_text(), re.MULTILINE)
    return dict(rows)


def most_memory(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


class AdvisoryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="talosmq-advisory."))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        authority = Authority(cls.folder, "ours")
        cls.ca = authority.ca
        certificate, key = authority.sign("server")
        cls.mutual = [f"tls.cert={certificate}", f"tls.key={key}", f"tls.client_ca={authority.ca}"]
        cls.flags = ["--tls-ca", authority.ca]
        for flag, path in zip(("--tls-cert", "--tls-key"), authority.sign("client")):
            cls.flags += [flag, path]

    def start(self, *settings):
        server = Server(settings)
        self.addCleanup(server.stop)
        return server

    def assert_next_client_is_served(self, server, *flags):
        begin = time.monotonic()
        status, _, err = talosmq(server, *flags, "topic", "list", timeout=60)
        self.assertEqual(status, 0, err + server.log()[-2000:])
        self.assertLess(time.monotonic() - begin, SERVED_SECONDS)

    def assert_client_that_tries_again_is_served(self, server, *flags):
        """It is turned away while the server has not seen yet that others are gone."""
        begin = time.monotonic()
        while True:
            status, _, err = talosmq(server, *flags, "topic", "list", timeout=60)
            self.assertLess(time.monotonic() - begin, SERVED_SECONDS, err + server.log()[-2000:])
            if status == 0:
                return

    def outcome(self, server, attack):
        before = most_memory(server)
        with http2.Connection(server.address) as stranger:
            try:
                attack(stranger)
                is_alive = stranger.is_alive()
            except OSError:
                is_alive = False
        try:
            server.process.wait(timeout=0.2)
            return ABORTS
        except subprocess.TimeoutExpired:
            grown = most_memory(server) - before
        return (SURVIVES if is_alive else CLOSED) + (GROWS if grown > HUGE_BYTES else "")

    def test_what_each_attack_does_to_a_plain_port_is_recorded(self):
        found = {}
        for name, attack in ATTACKS.items():
            server = self.start()
            found[name] = self.outcome(server, attack)
            if found[name] != ABORTS:
                self.assert_next_client_is_served(server)
                server.stop()
        self.assertEqual(found, {n: o for n, o in recorded().items() if n != STORM})

    def test_without_a_certificate_no_attack_gets_past_the_handshake(self):
        server = self.start(*self.mutual)
        self.assert_next_client_is_served(server, *self.flags)
        before = most_memory(server)
        context = ssl.create_default_context(cafile=self.ca)
        context.set_alpn_protocols(["h2"])
        for name, attack in ATTACKS.items():
            for tls in (context, None):
                with self.subTest(attack=name, tls=tls is not None):
                    frames = 0
                    try:
                        with http2.Connection(server.address, context=tls) as stranger:
                            attack(stranger)
                            while stranger.receive() is not None:
                                frames += 1
                    except OSError:  # Thrown out before the end of the attack.
                        pass
                    self.assertEqual(frames, 0)
                    self.assertIsNone(server.process.poll())
        self.assert_next_client_is_served(server, *self.flags)
        self.assertLess(most_memory(server) - before, HUGE_BYTES)

    def test_a_storm_of_connections_leaves_the_port_open(self):
        own = resource.getrlimit(resource.RLIMIT_NOFILE)
        for settings, flags in (((), ()), (self.mutual, self.flags)):
            resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_DESCRIPTORS, own[1]))
            try:
                server = self.start(*settings)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, own)
            held = storm(server.address)
            self.assertIsNone(server.process.poll())
            open_files = len(list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir()))
            self.assertLess(open_files, FEW_DESCRIPTORS - 32, "none are left for files")
            for stranger in held:
                stranger.close()
            self.assert_client_that_tries_again_is_served(server, *flags)
        self.assertEqual(recorded()[STORM], SURVIVES)


if __name__ == "__main__":
    unittest.main()
