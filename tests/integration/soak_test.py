"""Clients that work, come, go, stall and send garbage, for a long time: memory stays flat and nothing fails.

Half a minute, or half an hour with TALOSMQ_TEST_LENGTH=long. --rate gives the records a second of the steady
producer (100 bytes each); the long form takes half of what `talosmq bench ceiling` measures. --report FILE gets
the figures.
"""

import argparse
import json
import os
import pathlib
import random
import re
import select
import socket
import statistics
import sys
import threading
import time
import unittest

import grpc
import record_batch

from grpc_client import Connection, message_pb2, produce_request, subscription, topic_pb2
from talosmq_process import Server, start_talosmq, talosmq

IS_LONG = os.environ.get("TALOSMQ_TEST_LENGTH") == "long"
SECONDS = 1800 if IS_LONG else 30
SHORT_RATE = 20_000
TURN_SECONDS = 20 if IS_LONG else 5  # One run of the steady producer; its topic goes afterwards.
MEBIBYTE = 1 << 20
PATIENCE_SECONDS = 120
RSS_BOUND_BYTES = 1536 * MEBIBYTE
PARSER = argparse.ArgumentParser(description=__doc__.splitlines()[0])
PARSER.add_argument("--rate", type=int)
PARSER.add_argument("--report", type=pathlib.Path)
OPTIONS, REST = PARSER.parse_known_args()


class Usage:
    """What the server process uses, sampled."""

    def __init__(self, pid):
        self.proc = pathlib.Path(f"/proc/{pid}")
        self.samples = []

    def sample(self):
        status = (self.proc / "status").read_text()
        field = {name: int(value) for name, value in re.findall(r"(VmRSS|VmHWM|Threads):\s+(\d+)", status)}
        self.samples.append((field["VmRSS"] * 1024, len(list((self.proc / "fd").iterdir())), field["Threads"]))
        self.peak_bytes = field["VmHWM"] * 1024

    def median(self, column, part):
        """Of one quarter of the run: part is 0 to 3."""
        size = len(self.samples) // 4
        return statistics.median(sample[column] for sample in self.samples[part * size:(part + 1) * size])


class SoakTest(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.over = threading.Event()
        self.addCleanup(self.over.set)
        self.failures = []
        self.counts = {}
        self.random = random.Random(1)
        self.rate = OPTIONS.rate or (self.half_the_ceiling() if IS_LONG else SHORT_RATE)

    def half_the_ceiling(self):
        status, out, errors = talosmq(None, "-o", "json", "bench", "ceiling", "--size", "100", "--records", "10000000",
                                      timeout=PATIENCE_SECONDS)
        self.assertEqual(status, 0, errors)
        return int(json.loads(out)["records_per_second"] / 2)

    def count(self, what, number=1):
        self.counts[what] = self.counts.get(what, 0) + number

    def command(self, *arguments, stdin=b""):
        status, out, errors = talosmq(self.server, *arguments, stdin=stdin, timeout=PATIENCE_SECONDS + TURN_SECONDS)
        if status != 0:
            self.failures.append(f"{arguments}: status {status}: {errors}")
        return out

    # Each of these is one turn of a client; it is repeated until the time is over.

    def work_steadily(self):
        out = self.command("-o", "json", "bench", "produce", "--size", 100, "--partitions", 4, "--rate", self.rate,
                           "--records", self.rate * TURN_SECONDS)
        if out:
            self.count("steady_records", json.loads(out)["records"])

    def come_and_go(self):
        name = f"visit-{self.random.randrange(10**9)}"
        lines = b"".join(b"record %d\n" % i for i in range(5000))
        self.command("topic", "create", name, "-p", 2)
        self.command("produce", name, "--partition", 1, stdin=lines)
        read = self.command("consume", name, "-O", "start", "-e", "--partition", 1)
        if read.encode() != lines:
            self.failures.append(f"{name}: what was read is not what was written")
        self.command("topic", "delete", name)
        self.count("visits")

    def die_suddenly(self):
        for arguments in (("bench", "produce", "--rate", 1000, "--topic", "kept"), ("consume", "kept", "-O", "start")):
            process = start_talosmq(self.server, *arguments)
            select.select([process.stdout], [], [], 1)
            process.kill()
            process.communicate()
        self.count("killed_clients", 2)

    def stall(self):
        connection = Connection(self.server.address)
        wishes = message_pb2.FetchRequest(credit_bytes=1 << 30, subscribe=[
            subscription(self.kept, p, 0, p + 1) for p in range(4)])
        released = threading.Event()

        def kept_open(request):
            yield request
            released.wait()

        streams = [connection.messages.Fetch(kept_open(wishes)) for _ in range(20)]
        streams += [connection.messages.Produce(kept_open(message_pb2.ProduceRequest())) for _ in range(20)]
        half_open = [socket.create_connection(self.address("grpc")) for _ in range(20)]
        self.over.wait(2)
        released.set()
        for stream in streams:
            stream.cancel()
        for connected in half_open:
            connected.close()
        connection.close()
        self.count("stalled_streams", len(streams))

    def send_garbage(self):
        for port in ("grpc", "http"):
            with socket.create_connection(self.address(port), timeout=PATIENCE_SECONDS) as connected:
                try:
                    connected.sendall(self.random.randbytes(self.random.randrange(1, 100_000)))
                except OSError:
                    pass  # It hung up, as it should.
        connection = Connection(self.server.address)
        for method in ("MessageService/ProduceOnce", "MessageService/FetchOnce", "MessageService/ListOffsets",
                       "TopicService/CreateTopic", "TopicService/GetMetadata", "ClusterService/CheckHealth"):
            call = connection.channel.unary_unary(f"/talosmq.v1.{method}")
            try:
                call(self.random.randbytes(self.random.randrange(1, 2000)), timeout=PATIENCE_SECONDS)
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND):
                    self.failures.append(f"garbage to {method}: {error}")
        broken = bytearray(record_batch.build([(None, b"value", [])], int(time.time() * 1000)))
        broken[self.random.randrange(len(broken))] ^= 1 << self.random.randrange(8)
        connection.messages.ProduceOnce(produce_request(self.kept, 0, bytes(broken)), timeout=PATIENCE_SECONDS)
        connection.close()
        self.count("garbage", 9)

    def address(self, listener):
        host, _, port = self.server.wait_for_listeners()[listener].rpartition(":")
        return host, int(port)

    def repeat(self, turn):
        while not self.over.is_set():
            try:
                turn()
            except Exception as error:  # pylint: disable=broad-except
                self.failures.append(f"{turn.__name__}: {error!r}")
                return

    def test_memory_stays_flat_and_nothing_fails(self):
        connection = Connection(self.server.address)
        self.kept = connection.topics.CreateTopic(topic_pb2.CreateTopicRequest(name="kept", partitions=4),
                                                  timeout=PATIENCE_SECONDS).topic_id
        big = record_batch.build([(None, b"x" * 100_000, [])], int(time.time() * 1000))
        for number in range(200):
            connection.messages.ProduceOnce(produce_request(self.kept, number % 4, big), timeout=PATIENCE_SECONDS)
        connection.close()

        turns = [self.work_steadily, self.come_and_go, self.die_suddenly, self.stall, self.send_garbage]
        clients = [threading.Thread(target=self.repeat, args=(turn,)) for turn in turns]
        usage = Usage(self.server.process.pid)
        for client in clients:
            client.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and not self.failures and self.server.process.poll() is None:
            usage.sample()
            self.over.wait(0.5)
        self.over.set()
        for client in clients:
            client.join()

        report = self.report(usage)
        if OPTIONS.report:
            OPTIONS.report.write_text(json.dumps(report, indent=2) + "\n")
        print(json.dumps(report), file=sys.stderr)
        self.assertEqual(self.failures, [])
        self.assertIsNone(self.server.process.poll(), self.server.log())
        self.assertIn('"is_healthy": true', self.command("cluster", "health", "-o", "json"))
        complaints = [line for line in self.server.log().splitlines() if re.search(r"\b(error|critical)\b", line)]
        self.assertEqual(complaints, [])
        self.assertLess(usage.peak_bytes, RSS_BOUND_BYTES)
        if IS_LONG:
            self.assertLess(usage.median(0, 3), usage.median(0, 1) * 1.1)
            self.assertLess(usage.median(1, 3), usage.median(1, 1) * 1.1 + 16)

    def report(self, usage):
        quarters = range(4)
        return {"seconds": SECONDS, "rate": self.rate, "counts": self.counts, "failures": len(self.failures),
                "rss_mb_by_quarter": [round(usage.median(0, part) / 1e6, 1) for part in quarters],
                "peak_mb": round(usage.peak_bytes / 1e6, 1),
                "descriptors_by_quarter": [usage.median(1, part) for part in quarters],
                "threads_by_quarter": [usage.median(2, part) for part in quarters]}


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *REST])
