"""kafkajs, the client of Node.js, against the Kafka port."""

import json
import subprocess
import unittest

from client_driver import ClientDriver
from driver_load import DriverLoad
from kafka_fixture import PATIENCE_SECONDS, KafkaTest
from kafkajs_client import install


class KafkaJsTest(KafkaTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = install()
        super().setUpClass()

    def run_client(self, **asked):
        asked = {"broker": self.address, "topic": self.topic} | asked
        done = subprocess.run(["node", "client.js", json.dumps(asked)], cwd=self.folder, capture_output=True, text=True,
                              timeout=PATIENCE_SECONDS)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_kill_9_loses_and_doubles_nothing_and_keeps_the_order(self):
        partitions = 3
        self.create(partitions)
        load = DriverLoad(self, ClientDriver(self, ["node", self.folder / "driver.js"]), "gzip", partitions)
        load.kill_server_again_and_again()
        load.end()
        load.assert_stored()

    def test_each_codec_keeps_every_record(self):
        for codec in ("none", "gzip", "snappy", "lz4"):
            with self.subTest(codec):
                topic = f"{self.topic}.{codec}"
                self.create(topic=topic)
                values = [f"value {i} " + "x" * 100 for i in range(100)]
                self.assertEqual(self.run_client(do="produce", topic=topic, codec=codec, values=values), {"offset": "0"})
                self.assertEqual(self.stored_codecs(topic=topic), {codec})
                read = self.run_client(do="consume", topic=topic, group=topic, count=len(values))
                self.assertEqual(read["values"], values)
                self.assertEqual(self.consumed_by_grpc("%v", topic), values)

    def test_a_group_goes_on_where_it_has_committed(self):
        self.create()
        self.run_client(do="produce", codec="none", values=["one", "two"])
        self.assertEqual(self.run_client(do="consume", group=self.topic, count=2), {"values": ["one", "two"]})
        self.run_client(do="produce", codec="none", values=["three"])
        self.assertEqual(self.run_client(do="consume", group=self.topic, count=1), {"values": ["three"]})

    def test_topics_are_created_described_and_deleted(self):
        told = self.run_client(do="admin")
        self.assertTrue(told["isNew"])
        self.assertIn(self.topic, told["topics"])
        self.assertEqual([offset["high"] for offset in told["offsets"]], ["0"] * 3)
        self.assertIn("retention.ms", told["configs"])
        self.assertNotIn(self.topic, [topic["topic"] for topic in self.run_json("topic", "list")])


if __name__ == "__main__":
    unittest.main()
