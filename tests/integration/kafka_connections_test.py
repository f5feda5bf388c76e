"""Many connections at once: what idle ones take of the server."""

import os
import pathlib
import resource
import socket
import unittest

from kafka_fixture import KafkaTest
from kafka_wire import API_VERSIONS, METADATA, Wire, array, batch, string

CONNECTIONS = 5000
PER_ADDRESS = 1000  # So that none of them is near what the server gives one address.
SPARE_DESCRIPTORS = 3000
IDLE_BYTES_MAX = 250_000_000


class ConnectionsTest(KafkaTest):
    @classmethod
    def setUpClass(cls):
        # The server needs twice as many, and keeps a quarter of all for files; it inherits the bound.
        wanted = CONNECTIONS * 3 + SPARE_DESCRIPTORS
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
        super().setUpClass()

    def proc(self, name):
        return pathlib.Path(f"/proc/{self.server.process.pid}/{name}")

    def resident(self):
        pages = int(self.proc("statm").read_text().split()[1])
        return pages * resource.getpagesize()

    def descriptors(self):
        return len(os.listdir(self.proc("fd")))

    def open_idle(self, number):
        """One that has asked for versions and metadata, as clients do before they fall idle."""
        wire = Wire.__new__(Wire)
        host, _, port = self.address.rpartition(":")
        source = f"127.0.1.{1 + number // PER_ADDRESS}"
        wire.socket = socket.create_connection((host, int(port)), 30, (source, 0))
        wire.correlation = 0
        wire.call(API_VERSIONS, 0, b"")
        reply = wire.call(METADATA, 1, array(string(self.topic)))
        self.assertEqual(reply.take("i"), 1)
        return wire

    def test_idle_connections_take_little_and_stand_in_nobodys_way(self):
        self.create()
        descriptors, before = self.descriptors(), self.resident()
        peaks = []
        for round_number in range(2):
            idle = [self.open_idle(number) for number in range(CONNECTIONS)]
            peaks.append(self.resident())
            self.assertGreaterEqual(self.descriptors(), descriptors + CONNECTIONS)
            client = self.wire()
            for number in range(10):
                offset = round_number * 10 + number
                self.assertEqual(client.produce(self.topic, 0, batch(b"value")), (0, offset))
                error, high_watermark, records = client.fetch(self.topic, 0, offset)
                self.assertEqual((error, high_watermark), (0, offset + 1))
                self.assertIn(b"value", records)
            for wire in idle:
                self.assertEqual(wire.api_versions()[0], 0)  # All of them are still served.
            client.close()
            for wire in idle:
                wire.close()
            self.wait_until(lambda: self.descriptors() <= descriptors + 10, "descriptors do not come back")
        print(f"{CONNECTIONS} connections: {before / 1e6:.0f} MB resident before, "
              f"{' and '.join(f'{peak / 1e6:.0f}' for peak in peaks)} MB with them, "
              f"{(peaks[0] - before) / CONNECTIONS / 1000:.1f} kB each", flush=True)
        self.assertLessEqual(peaks[0], IDLE_BYTES_MAX)
        self.assertLessEqual(peaks[1], peaks[0] * 1.1, "the memory of the first ones has not come back")


if __name__ == "__main__":
    unittest.main()
