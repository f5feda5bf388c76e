"""A server whose data directory lies on a small disk that becomes full: what still works, what is
told, and how it goes on. The disk is a tmpfs, which only root can mount; these tests run as root."""

import errno
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import grpc
import record_batch

from talosmq_process import Server, start_talosmq, talosmq

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DISK_BYTES = 64 << 20
WAIT_SECONDS = 30
RECORDS_IN_BATCH = 10
BATCH = record_batch.build([(None, b"%07d" % i * 15_000, []) for i in range(RECORDS_IN_BATCH)],
                           1_700_000_000_000)


def make_stubs(directory):
    subprocess.run(
        ["protoc", "-I", ROOT / "proto", "--python_out", directory, "--grpc_out", directory,
         "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin"]
        + [f"talosmq/v1/{name}.proto" for name in ("error", "message", "topic")], check=True)
    sys.path.insert(0, directory)


class SmallDiskServer(Server):
    """A server with a disk of its own for its data directory; the log lies elsewhere."""

    def start(self, settings=()):
        if not self.data.exists():
            self.data.mkdir()
            mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", self.data]
            done = subprocess.run(mount, stderr=subprocess.PIPE, text=True)
            if done.returncode != 0:
                raise RuntimeError(f"a small tmpfs cannot be mounted, run as root: {done.stderr}")
        super().start(settings)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        (self.data / "listeners.json").unlink()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        subprocess.run(["umount", "-l", self.data], check=True)
        super().stop()

    def get(self, path):
        address = json.loads((self.data / "listeners.json").read_text())["http"]
        try:
            with urllib.request.urlopen(f"http://{address}{path}") as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name):
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return float(found[1]) if found else 0.0

    def filler(self):
        return self.data / "filler"

    def fill_up(self):
        """What another program on the same disk does: takes the last block."""
        with open(self.filler(), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


class FullDiskTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stubs = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.stubs.cleanup)
        make_stubs(cls.stubs.name)

    def setUp(self):
        self.server = SmallDiskServer()
        self.addCleanup(self.server.stop)

    def run_ok(self, *arguments):
        status, out, err = talosmq(self.server, *arguments)
        self.assertEqual(status, 0, f"{arguments}: {err}")
        return out

    def make_topic(self, name):
        made = self.run_ok("topic", "create", name, "-p", "1", "-o", "json")
        return bytes.fromhex(json.loads(made)["topic_id"].replace("-", ""))

    def produce(self, topic_id):
        """One batch of a megabyte; the error when it is refused."""
        from talosmq.v1 import message_pb2, message_pb2_grpc

        request = message_pb2.ProduceRequest(request_id=1)
        request.batches.add(topic_id=topic_id, partition=0, records=BATCH)
        with grpc.insecure_channel(self.server.address) as channel:
            messages = message_pb2_grpc.MessageServiceStub(channel)
            ack = messages.ProduceOnce(request, timeout=WAIT_SECONDS).acks[0]
        return ack.error if ack.HasField("error") else None

    def create_until_refused(self):
        """Topics with much to keep, until the space that RocksDB had taken before is used up."""
        from talosmq.v1 import topic_pb2, topic_pb2_grpc

        configs = {f"label.l{i}": "x" * 1000 for i in range(30)}
        with grpc.insecure_channel(self.server.address) as channel:
            topics = topic_pb2_grpc.TopicServiceStub(channel)
            for i in range(1000):
                request = topic_pb2.CreateTopicRequest(name=f"topic-{i}", partitions=1, configs=configs)
                try:
                    topics.CreateTopic(request, timeout=WAIT_SECONDS)
                except grpc.RpcError:
                    return
        self.fail("metadata is written to a disk without a free block")

    def produce_until_refused(self, topic_id):
        from talosmq.v1 import error_pb2

        for taken in range(DISK_BYTES // len(BATCH) + 1):
            error = self.produce(topic_id)
            if error is None:
                continue
            self.assertEqual(error.reason, error_pb2.REASON_STORAGE_FULL, error)
            self.assertTrue(error.retry_safe)
            self.assertIn("is full", error.message)
            return taken
        self.fail("the disk takes more than it has")

    def wait_until(self, holds, what):
        deadline = time.monotonic() + WAIT_SECONDS
        while not holds():
            self.assertLess(time.monotonic(), deadline, what)
            select.select([], [], [], 0.05)

    def wait_until_full(self, value):
        self.wait_until(lambda: self.server.metric("talosmq_storage_full") == value,
                        f"talosmq_storage_full does not become {value}")

    def is_healthy(self):
        """By one question: between two it may heal."""
        return self.server.get("/health")[0] == 200

    def health(self):
        status, out, _ = talosmq(self.server, "cluster", "health", "-o", "json")
        http_status, body = self.server.get("/health")
        self.assertEqual(json.loads(body)["is_healthy"], http_status == 200)
        self.assertEqual(json.loads(out)["is_healthy"], http_status == 200)
        self.assertEqual(status == 0, http_status == 200)
        return json.loads(body)

    def assert_red(self):
        problems = self.health()["problems"]
        self.assertTrue(any("is full" in problem["problem"] for problem in problems), problems)

    def offsets(self, topic):
        return self.run_ok("consume", topic, "-O", "start", "-e", "-f", "%o\\n").splitlines()

    def assert_holds(self, topic, batches):
        self.assertEqual(self.offsets(topic), [str(i) for i in range(batches * RECORDS_IN_BATCH)])

    def test_records_that_fill_the_disk_are_refused_until_a_topic_is_deleted(self):
        victim, kept = self.make_topic("victim"), self.make_topic("kept")
        for _ in range(20):
            self.assertIsNone(self.produce(victim))
        taken = self.produce_until_refused(kept)
        self.assertGreater(taken, 5)
        self.wait_until_full(1)
        self.assert_red()
        self.assertLess(self.server.metric("talosmq_storage_disk_free_bytes"), DISK_BYTES / 8)
        self.assertEqual(self.server.metric("talosmq_storage_disk_capacity_bytes"), DISK_BYTES)
        self.assert_holds("kept", taken)

        self.server.kill()
        self.server.start()
        self.assert_red()
        self.assert_holds("kept", taken)
        # The start of the log has given back what was allocated in advance.
        taken += self.produce_until_refused(kept)
        self.wait_until_full(1)

        # A client that waits for space, as the SDK does.
        refusals = 'talosmq_broker_requests_total{method="produce",result="StorageFull"}'
        before = self.server.metric(refusals)
        waiting = start_talosmq(self.server, "produce", "kept")
        waiting.stdin.write(b"waits\n")
        waiting.stdin.close()
        self.wait_until(lambda: self.server.metric(refusals) > before, "it is not refused")
        self.assertIsNone(waiting.poll())

        self.run_ok("topic", "delete", "victim")
        self.wait_until_full(0)
        self.assertEqual(waiting.wait(WAIT_SECONDS), 0, waiting.stderr.read())
        waiting.stdout.close()
        waiting.stderr.close()
        self.wait_until(self.is_healthy, "health stays red")
        self.assertEqual(self.health()["problems"], [])
        self.assertIsNone(self.produce(kept))
        self.assertEqual(len(self.offsets("kept")), (taken + 1) * RECORDS_IN_BATCH + 1)
        self.assertEqual(self.server.metric("talosmq_storage_fences_total"), 0)

    def test_topics_come_and_go_while_another_program_has_filled_the_disk(self):
        kept = self.make_topic("kept")
        self.assertIsNone(self.produce(kept))
        self.server.fill_up()
        self.wait_until_full(1)
        self.assert_red()
        self.assertIsNotNone(self.produce(kept))
        self.run_ok("topic", "create", "short-lived")
        self.run_ok("topic", "delete", "short-lived")
        self.assert_holds("kept", 1)

        self.server.kill()
        self.server.start()
        self.assert_red()
        self.assert_holds("kept", 1)
        self.run_ok("topic", "create", "short-lived")
        self.run_ok("topic", "delete", "short-lived")

        self.server.filler().unlink()
        self.wait_until_full(0)
        self.assertIsNone(self.produce(kept))
        self.assertEqual(self.health()["problems"], [])
        self.assert_holds("kept", 2)

    def test_metadata_goes_on_by_itself_after_the_last_block_was_taken_too(self):
        kept = self.make_topic("kept")
        self.server.fill_up()
        self.wait_until_full(1)
        self.server.fill_up()  # The room that the server has given back.
        self.create_until_refused()
        problems = {problem["object"] for problem in self.health()["problems"]}
        self.assertIn("metadata store", problems)
        self.server.filler().unlink()
        self.wait_until(self.is_healthy, "health stays red")
        self.run_ok("topic", "create", "after")
        self.assertIsNone(self.produce(kept))
        self.assert_holds("kept", 1)


if __name__ == "__main__":
    unittest.main()
