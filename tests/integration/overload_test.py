"""A client that asks for more than its part: each queue is filled, others are served, memory stays."""

import pathlib
import re
import threading
import time
import unittest
import urllib.request

import grpc
import record_batch

from grpc_client import Connection, cluster_pb2, error_of, error_pb2, message_pb2, produce_request, subscription, topic_pb2
from talosmq_process import Server, talosmq

PATIENCE_SECONDS = 60
MEBIBYTE = 1 << 20
RECORD_BYTES = 32 * MEBIBYTE  # storage.tail_cache_bytes_max, which bounds the listener's records too
# An idle server, the tail cache, the listener's records, one message a stream that is being read,
# and what the allocator keeps.
MEMORY_BOUND_BYTES = 450 * MEBIBYTE


class OverloadTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.batch = record_batch.build([(None, b"x" * MEBIBYTE, [])], int(time.time() * 1000))
        cls.small = record_batch.build([(None, b"small", [])], int(time.time() * 1000))

    def setUp(self):
        self.server = Server([f"storage.tail_cache_bytes_max={RECORD_BYTES}"])
        self.addCleanup(self.server.stop)
        self.greedy = Connection(self.server.address)
        self.addCleanup(self.greedy.close)
        self.modest = Connection(self.server.address)
        self.addCleanup(self.modest.close)
        self.flood = self.create("flood", 8)
        self.calm = self.create("calm", 1)
        self.over = threading.Event()
        self.addCleanup(self.over.set)

    def create(self, name, partitions):
        request = topic_pb2.CreateTopicRequest(name=name, partitions=partitions)
        return self.modest.topics.CreateTopic(request, timeout=PATIENCE_SECONDS).topic_id

    def metric(self, name):
        with urllib.request.urlopen(f"http://{self.server.wait_for_listeners()['http']}/metrics") as page:
            found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page.read().decode(), re.MULTILINE)
        return sum(map(float, found))

    def peak_bytes(self):
        status = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024

    def wait_for(self, condition, words):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"waited in vain: {words}")
            self.over.wait(0.02)

    def assert_modest_client_is_served(self, rounds=20):
        """Every kind of call, on a connection of its own."""
        for number in range(rounds):
            reply = self.modest.messages.ProduceOnce(
                produce_request(self.calm, 0, self.small, number), timeout=PATIENCE_SECONDS)
            self.assertFalse(reply.acks[0].HasField("error"), reply.acks[0].error)
            fetched = self.modest.messages.FetchOnce(message_pb2.FetchOnceRequest(partitions=[
                subscription(self.calm, 0, reply.acks[0].base_offset)]), timeout=PATIENCE_SECONDS)
            self.assertFalse(fetched.partitions[0].HasField("error"), fetched.partitions[0].error)
            self.assertEqual(fetched.partitions[0].records[-5:], self.small[-5:])
            self.modest.topics.ListTopics(topic_pb2.ListTopicsRequest(), timeout=PATIENCE_SECONDS)
            health = self.modest.cluster.CheckHealth(cluster_pb2.CheckHealthRequest(),
                                                     timeout=PATIENCE_SECONDS)
            self.assertTrue(health.is_healthy, health.problems)
        status, _, errors = talosmq(self.server, "topic", "describe", "calm")
        self.assertEqual(status, 0, errors)

    def assert_memory_is_bounded(self):
        self.assertLess(self.peak_bytes(), MEMORY_BOUND_BYTES)

    def assert_overloaded(self, error):
        self.assertEqual(error.reason, error_pb2.REASON_OVERLOADED, error)
        self.assertTrue(error.retry_safe)
        self.assertGreater(error.retry_after_ms, 0)

    def test_a_flood_of_batches(self):
        refusals = []

        def requests(partition):
            number = 0
            while not self.over.is_set():
                number += 1
                yield produce_request(self.flood, partition, self.batch, number)

        def produce(partition):
            try:
                for reply in self.greedy.messages.Produce(requests(partition)):
                    refusals.extend(ack.error for ack in reply.acks if ack.HasField("error"))
            except grpc.RpcError as error:
                if not self.over.is_set():
                    refusals.append(error)

        streams = [threading.Thread(target=produce, args=(i % 8,)) for i in range(24)]
        for stream in streams:
            stream.start()
        self.wait_for(lambda: len(refusals) > 10, "a flood that is refused")
        self.assert_modest_client_is_served()
        self.over.set()
        for stream in streams:
            stream.join()
        for refusal in refusals:
            self.assert_overloaded(refusal)
        self.assert_memory_is_bounded()

    def test_readers_that_do_not_read(self):
        for number in range(64):
            reply = self.greedy.messages.ProduceOnce(
                produce_request(self.flood, number % 8, self.batch), timeout=PATIENCE_SECONDS)
            self.assertFalse(reply.acks[0].HasField("error"), reply.acks[0].error)
        streams = []
        for _ in range(100):
            wishes = message_pb2.FetchRequest(credit_bytes=1 << 30, subscribe=[
                subscription(self.flood, p, 0, p + 1) for p in range(8)])
            # The iterator does not end, so the stream stays open; nobody takes its answers.
            streams.append(self.greedy.messages.Fetch(self.kept_open(wishes)))
        self.wait_for(lambda: self.metric("talosmq_listener_refusals_total") > 0, "a refused read")
        self.assert_modest_client_is_served()
        self.assert_memory_is_bounded()
        for stream in streams:
            stream.cancel()
        self.wait_for(lambda: self.metric("talosmq_listener_held_bytes") < MEBIBYTE,
                      "what readers held that have gone")

    def kept_open(self, request):
        yield request
        self.over.wait()

    def test_subscriptions_without_end(self):
        streams = []
        for _ in range(15):
            wishes = message_pb2.FetchRequest(credit_bytes=1, subscribe=[
                subscription(self.flood, i % 8, 0, i + 1) for i in range(20_000)])
            streams.append(self.greedy.messages.Fetch(self.kept_open(wishes)))
        self.wait_for(lambda: self.metric("talosmq_listener_refusals_total") > 0, "a refused subscription")
        self.assert_modest_client_is_served()
        self.assert_memory_is_bounded()
        for stream in streams:
            stream.cancel()

    def test_long_polls_without_end(self):
        wide = self.create("wide", 2000)
        asked = [subscription(wide, i, 0, i + 1) for i in range(2000)]
        request = message_pb2.FetchOnceRequest(partitions=asked, wait_ms=60_000)
        polls = [self.greedy.messages.FetchOnce.future(request) for _ in range(200)]
        self.wait_for(lambda: any(poll.done() and poll.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
                                  for poll in polls), "a refused poll")
        self.assert_modest_client_is_served()
        self.assert_memory_is_bounded()
        for poll in polls:
            poll.cancel()

    def test_administration_without_end(self):
        self.create("wide", 2000)
        request = topic_pb2.DescribeTopicRequest(name="wide")
        calls = [self.greedy.topics.DescribeTopic.future(request) for _ in range(500)]
        self.assert_modest_client_is_served(rounds=5)
        for call in calls:
            code = call.code()
            if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
                self.assert_overloaded(error_of(call))
            else:
                self.assertEqual(code, grpc.StatusCode.OK)
        self.assert_memory_is_bounded()


if __name__ == "__main__":
    unittest.main()
