"""What the tests of the Kafka port share: a server, topics of a test's own, and waiting."""

import select
import time
import urllib.request

from kafka_wire import Wire, codecs_of
from server_fixture import ServerTest

PATIENCE_SECONDS = 60


class KafkaTest(ServerTest):
    """A server for all tests of the class, and a topic name for each."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address = cls.server.listeners["kafka"][0]

    def setUp(self):
        self.topic = self.id().rpartition(".")[2]

    def create(self, partitions=1, topic=None, configs=()):
        flags = [flag for config in configs for flag in ("-c", config)]
        self.run_ok("topic", "create", topic or self.topic, "-p", partitions, *flags)

    def wire(self):
        wire = Wire(self.address)
        self.addCleanup(wire.close)
        return wire

    def stored(self, partition=0, topic=None):
        """The bytes of the partition as they are stored."""
        error, _, records = self.wire().fetch(topic or self.topic, partition, 0)
        self.assertEqual(error, 0)
        return records

    def stored_codecs(self, partition=0, topic=None):
        return set(codecs_of(self.stored(partition, topic)))

    def ends(self, topic=None):
        return [partition["log_end_offset"]
                for partition in self.run_json("topic", "describe", topic or self.topic)["partitions"]]

    def consumed_by_grpc(self, form="%k %v", topic=None):
        return self.run_ok("consume", topic or self.topic, "-O", "start", "-e", "-f", form + "\\n").splitlines()

    def metric(self, name, label=""):
        """The sum of those whose line begins so and has the label in it."""
        with urllib.request.urlopen(f"http://{self.server.http}/metrics") as reply:
            lines = [line for line in reply.read().decode().splitlines() if line.startswith(name) and label in line]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def wait_until(self, holds, what="the condition does not come true"):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            self.assertLess(time.monotonic(), deadline, f"{what}\n{self.server.log()[-3000:]}")
            select.select([], [], [], 0.05)
