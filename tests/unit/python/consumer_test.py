"""Consumer against a broker whose answers come when the test says."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import talosmq_package  # noqa: E402,F401  (makes the package importable)

import talosmq as sdk  # noqa: E402
from fake_broker import FakeBroker  # noqa: E402

PATIENCE_S = 20
A, B = sdk.TopicPartition("t", 0), sdk.TopicPartition("t", 1)


class ConsumerTest(unittest.TestCase):
    def setUp(self):
        self.broker = FakeBroker()
        self.addCleanup(self.broker.stop)
        self.broker.topics["t"] = [[], []]
        client = sdk.Client(self.broker.address)
        self.addCleanup(client.close)
        self.consumer = sdk.Consumer(client)
        self.addCleanup(self.consumer.close)
        self.consumer.assign([A, B])

    def wait_for_fetch(self, count):
        self.broker.wait_for(lambda: len(self.broker.requests("FetchOnce")) >= count, f"{count} fetches")

    def poll_values(self, timeout_s=PATIENCE_S):
        return [record.value for record in self.consumer.poll(timeout_s)]

    def test_an_answer_that_comes_after_its_partition_was_paused_is_not_taken(self):
        self.consumer.poll(0)
        self.wait_for_fetch(1)
        self.consumer.pause(A)
        self.broker.append("t", 0, b"0")
        self.assertEqual(self.poll_values(0.3), [])
        self.consumer.resume(A)
        self.assertEqual(self.poll_values(), [b"0"])

    def test_an_answer_that_comes_after_a_seek_is_not_taken(self):
        self.broker.append("t", 0, b"0", b"1", b"2")
        self.consumer.poll(0)
        self.wait_for_fetch(1)
        self.consumer.seek(A, 2)
        self.assertEqual(self.poll_values(), [b"2"])
        self.assertEqual(self.poll_values(0.2), [])

    def test_a_refused_fetch_is_repeated_and_loses_nothing(self):
        self.broker.refuse("FetchOnce", sdk.Reason.UNAVAILABLE, sdk.Reason.OVERLOADED, sdk.Reason.SHUTTING_DOWN)
        self.broker.append("t", 1, b"0")
        self.assertEqual(self.poll_values(), [b"0"])


if __name__ == "__main__":
    unittest.main()
