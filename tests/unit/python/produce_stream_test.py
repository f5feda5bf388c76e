"""Producer over produce streams that end when the test says."""

import pathlib
import queue
import sys
import threading
import types
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import talosmq_package  # noqa: E402,F401  (makes the package importable)

import talosmq as sdk  # noqa: E402
from talosmq.client import Leader, TopicImage  # noqa: E402
from talosmq.produce_stream import ProduceStream  # noqa: E402
from talosmq.v1 import message_pb2  # noqa: E402

PATIENCE_S = 20
END = object()


class FakeCall:
    """One produce stream as gRPC gives it. Stores what arrives, until it is told to end."""

    def __init__(self, server, requests):
        self._server = server
        self._arrived = queue.SimpleQueue()  # requests, then END
        self._requests = requests
        threading.Thread(target=self._pull, daemon=True).start()

    def _pull(self):
        for request in self._requests:
            self._arrived.put(request)

    def __iter__(self):
        while (request := self._arrived.get()) is not END:
            self._server.stored += 1
            yield message_pb2.ProduceResponse(
                request_id=request.request_id, acks=[message_pb2.PartitionAck(base_offset=self._server.stored - 1)])

    def cancel(self):
        self._arrived.put(END)


class FakeClient:
    """Knows one topic with one partition, whose leader counts the batches that it stores."""

    metadata_age_max_s = 30.0

    def __init__(self):
        self.stored = 0
        self.calls = []

    def find_topic(self, name):
        return TopicImage(name, b"i" * 16, (Leader("leader:1", 0),))

    def refresh_topic(self, topic_id, timeout_s):
        return self.find_topic("t")

    def ask(self, call, timeout_s):
        return types.SimpleNamespace(producer_id=7, producer_epoch=0)

    def services(self, address):
        return types.SimpleNamespace(messages=self)

    def Produce(self, requests):
        self.calls.append(FakeCall(self, requests))
        return self.calls[-1]


class ProduceStreamTest(unittest.TestCase):
    def setUp(self):
        self.client = FakeClient()
        self.producer = sdk.Producer(self.client, "t", delivery_timeout_s=2 * PATIENCE_S)
        self.addCleanup(self.producer.close)

    # What goes wrong.

    def test_a_batch_that_is_sent_while_the_stream_ends_goes_out_again(self):
        # It went into a stream that had told what was out already, and its partition was stuck for good.
        told = []
        has_been_sent = threading.Event()
        on_closed, send = self.producer.on_closed, ProduceStream.send

        def send_before(*arguments):
            told.append(self.producer.send(b"late"))
            self.assertTrue(has_been_sent.wait(PATIENCE_S))
            on_closed(*arguments)

        def send_and_say(stream, *arguments):
            send(stream, *arguments)
            has_been_sent.set()

        self.assertEqual(self.producer.send(b"early").result(PATIENCE_S).offset, 0)
        self.producer.on_closed = send_before
        with mock.patch.object(ProduceStream, "send", send_and_say):
            self.client.calls[0].cancel()
            self.assertTrue(has_been_sent.wait(PATIENCE_S))
        self.producer.on_closed = on_closed
        self.assertEqual(self.producer.send(b"later").result(PATIENCE_S).offset, self.client.stored - 1)
        self.assertEqual(told[0].result(PATIENCE_S).offset, 1)

    def test_streams_that_end_again_and_again_tell_every_batch_once(self):
        told = []
        for _ in range(50):
            self.producer.send(b"alone").result(PATIENCE_S)
            call = self.client.calls[-1]
            ending = threading.Thread(target=call.cancel)
            ending.start()
            futures = [self.producer.send(b"%d" % number) for number in range(20)]
            for future in futures:
                future.add_done_callback(told.append)
            ending.join()
            for future in futures:
                future.result(PATIENCE_S)
        self.producer.close()
        self.assertEqual((len(told), len(set(told))), (1000, 1000))


if __name__ == "__main__":
    unittest.main()
