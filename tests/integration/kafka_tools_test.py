"""Kafka's own command line tools against the Kafka port."""

import json
import re
import subprocess
import unittest

from foreign_clients import JAVA, java_classpath
from kafka_fixture import KafkaTest
from kafka_wire import TIME_MS, batch

TOOL_SECONDS = 60


class ToolsTest(KafkaTest):
    @classmethod
    def setUpClass(cls):
        cls.classpath = java_classpath("kafka-tools")
        super().setUpClass()

    def run_tool(self, name, *arguments):
        """The status and what it printed."""
        done = subprocess.run([*JAVA, "-cp", self.classpath, f"org.apache.kafka.tools.{name}", *map(str, arguments),
                               "--bootstrap-server", self.address], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=TOOL_SECONDS)
        return done.returncode, done.stdout

    def tool(self, name, *arguments):
        status, said = self.run_tool(name, *arguments)
        self.assertEqual(status, 0, said)
        return said

    def fill(self, partitions, count):
        self.create(partitions)
        for partition in range(partitions):
            for i in range(count):
                self.wire().produce(self.topic, partition, batch(b"%d" % i, timestamp_ms=TIME_MS + i))

    # Load.

    def test_the_performance_tools_write_and_read(self):
        self.create(3)
        said = self.tool("ProducerPerformance", "--topic", self.topic, "--num-records", 20_000, "--record-size", 100,
                         "--throughput", -1, "--command-property", "compression.type=lz4", "--reporting-interval", 1000)
        self.assertIn("20000 records sent", said)
        self.assertEqual(sum(self.ends()), 20_000)
        said = self.tool("ConsumerPerformance", "--topic", self.topic, "--num-records", 20_000, "--hide-header",
                         "--timeout", 20_000, "--group", self.topic)
        # The start, the end, megabytes, a rate, records.
        self.assertEqual(said.splitlines()[-1].split(", ")[4], "20000", said)

    def test_the_verifiable_producer_and_consumer_miss_nothing(self):
        count = 1000
        self.create(2)
        written = self.told("VerifiableProducer", "--topic", self.topic, "--max-messages", count)
        self.assertEqual(sorted(int(told["value"]) for told in written["producer_send_success"]), list(range(count)))
        self.assertEqual(written["tool_data"][0]["acked"], count)
        read = self.told("VerifiableConsumer", "--topic", self.topic, "--group-id", self.topic, "--max-messages", count,
                         "--verbose")
        self.assertEqual(sorted(int(told["value"]) for told in read["record_data"]), list(range(count)))
        self.assertEqual({told["success"] for told in read["offsets_committed"]}, {True})
        committed = [p["committed"] for p in self.run_json("group", "describe", self.topic)["partitions"]]
        self.assertEqual(sum(committed), count)

    def told(self, name, *arguments):
        """The tool's lines of JSON by their names."""
        by_name = {}
        for line in self.tool(name, *arguments).splitlines():
            if line.startswith("{"):
                told = json.loads(line)
                by_name.setdefault(told["name"], []).append(told)
        return by_name

    # Operators.

    def test_topics_are_made_grown_described_and_deleted(self):
        topic = ("--topic", self.topic)
        self.tool("TopicCommand", "--create", *topic, "--partitions", 2, "--config", "retention.ms=60000")
        status, said = self.run_tool("TopicCommand", "--create", *topic, "--partitions", 2)
        self.assertEqual(status, 1)
        self.assertIn("exists already", said)
        self.tool("TopicCommand", "--alter", *topic, "--partitions", 3)
        said = self.tool("TopicCommand", "--describe", *topic)
        self.assertRegex(said, r"PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: .*retention.ms=60000")
        self.assertEqual(len(re.findall(r"Leader: 0\s+Replicas: 0\s+Isr: 0", said)), 3, said)
        self.assertIn(self.topic, self.tool("TopicCommand", "--list").splitlines())
        self.tool("TopicCommand", "--delete", *topic)
        status, said = self.run_tool("TopicCommand", "--describe", *topic)
        self.assertEqual(status, 1)
        self.assertIn("does not exist", said)

    def test_settings_are_changed_and_told(self):
        self.create()
        topic = ("--topic", self.topic)
        self.tool("ConfigCommand", "--alter", *topic, "--add-config", "retention.ms=70000,segment.ms=5000")
        self.tool("ConfigCommand", "--alter", *topic, "--delete-config", "segment.ms")
        said = self.tool("ConfigCommand", "--describe", *topic)
        self.assertIn("retention.ms=70000", said)
        self.assertNotIn("segment.ms", said)
        status, said = self.run_tool("ConfigCommand", "--alter", *topic, "--add-config", "retention.ms=soon")
        self.assertEqual(status, 1)
        self.assertIn("retention.ms", said)
        said = self.tool("ConfigCommand", "--describe", "--broker", 0, "--all")
        self.assertIn(f"log.dirs={self.server.data}", said)

    def test_groups_are_reset_described_and_deleted(self):
        self.fill(2, 10)
        group = ("--group", self.topic)
        reset = (*group, "--topic", self.topic, "--reset-offsets", "--execute")

        def offsets():
            return [p["committed"] for p in self.run_json("group", "describe", self.topic)["partitions"]]

        for place, expected in ((("--to-earliest",), 0), (("--shift-by", 3), 3), (("--to-offset", 8), 8)):
            self.tool("consumer.group.ConsumerGroupCommand", *reset, *place)
            self.assertEqual(offsets(), [expected] * 2)
        self.assertIn(self.topic, self.tool("consumer.group.ConsumerGroupCommand", "--list").splitlines())
        said = self.tool("consumer.group.ConsumerGroupCommand", "--describe", *group)
        for partition in (0, 1):
            self.assertRegex(said, rf"{self.topic}\s+{partition}\s+8\s+10\s+2\s")
        self.tool("consumer.group.ConsumerGroupCommand", "--delete", *group)
        self.assertNotIn(self.topic, self.tool("consumer.group.ConsumerGroupCommand", "--list").splitlines())

    def test_places_are_told(self):
        self.fill(2, 10)
        for when, offset in (("latest", 10), ("earliest", 0), (TIME_MS + 4, 4)):
            said = self.tool("GetOffsetShell", "--topic", self.topic, "--time", when)
            self.assertEqual(said.split(), [f"{self.topic}:{partition}:{offset}" for partition in (0, 1)])


if __name__ == "__main__":
    unittest.main()
