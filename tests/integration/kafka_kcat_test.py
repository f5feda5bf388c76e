"""kcat, that is librdkafka at its plainest, against the Kafka port."""

import re
import subprocess
import unittest

from client_driver import LineProcess
from driver_load import LineLoad
from kafka_fixture import PATIENCE_SECONDS, KafkaTest
from kafka_wire import CODECS, TIME_MS, batch


class KcatLoad(LineLoad):
    """kcat gets the numbers with keys, which say the partition to it; -vvv lets it tell of each record."""

    def line(self, number):
        return f"{number % 10}:{number}\n"

    def acknowledged(self):
        return sum("% Message delivered" in line for line in list(self.producer.errors))


class KcatTest(KafkaTest):
    def kcat(self, *arguments, stdin=b""):
        """Status, standard output and standard error."""
        done = subprocess.run(["kcat", "-b", self.address, "-m", "20", *map(str, arguments)], input=stdin,
                              capture_output=True, timeout=PATIENCE_SECONDS)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def kcat_ok(self, *arguments, stdin=b""):
        status, out, err = self.kcat(*arguments, stdin=stdin)
        self.assertEqual(status, 0, err)
        return out, err

    def test_metadata_tell_brokers_topics_and_partitions(self):
        self.create(3)
        out, _ = self.kcat_ok("-L", "-t", self.topic)
        self.assertIn(f"broker 0 at {self.address} (controller)", out)
        self.assertIn(f'topic "{self.topic}" with 3 partitions', out)
        self.assertEqual(len(re.findall(r"partition \d, leader 0, replicas: 0, isrs: 0", out)), 3)

    def test_each_codec_is_used_and_stored_as_it_came(self):
        lines = [f"line {i} {'x' * 50}" for i in range(500)]
        for codec in CODECS:
            topic = f"{self.topic}-{codec}"
            self.create(topic=topic)
            _, err = self.kcat_ok("-P", "-t", topic, "-z", codec, "-d", "feature,msg",
                                  stdin="\n".join(lines).encode())
            self.assertNotIn("does not support compression", err)
            # It compresses no batch that would not become smaller, as a first one of a single record.
            self.assertIn(codec, self.stored_codecs(topic=topic))
            self.assertLessEqual(self.stored_codecs(topic=topic), {codec, "none"})
            out, _ = self.kcat_ok("-C", "-t", topic, "-o", "beginning", "-e", "-q")
            self.assertEqual(out.splitlines(), lines)
            self.assertEqual(self.consumed_by_grpc("%v", topic), lines)

    def test_reading_ends_at_the_end(self):
        self.create()
        out, err = self.kcat_ok("-C", "-t", self.topic, "-o", "beginning", "-e")
        self.assertEqual(out, "")
        self.assertIn("at offset 0: exiting", err)
        self.kcat_ok("-P", "-t", self.topic, stdin=b"a\nb\nc\n")
        out, err = self.kcat_ok("-C", "-t", self.topic, "-o", "beginning", "-e")
        self.assertEqual(out, "a\nb\nc\n")
        self.assertIn("at offset 3: exiting", err)
        for place, expected in ((1, "b\nc\n"), (-1, "c\n"), ("end", "")):
            self.assertEqual(self.kcat_ok("-C", "-t", self.topic, "-o", place, "-e", "-q")[0], expected)

    def test_a_time_is_a_place_to_begin(self):
        self.create()
        for i in range(5):
            error, _ = self.wire().produce(self.topic, 0, batch(b"%d" % i, timestamp_ms=TIME_MS + i * 1000))
            self.assertEqual(error, 0)
        for time_ms, expected in ((1, "01234"), (TIME_MS, "01234"), (TIME_MS + 1, "1234"), (TIME_MS + 3000, "34"),
                                  (TIME_MS + 4000, "4"), (TIME_MS + 4001, "")):
            out, _ = self.kcat_ok("-C", "-t", self.topic, "-p", 0, "-o", f"s@{time_ms}", "-e", "-q", "-f", "%s")
            self.assertEqual(out, expected, time_ms)
        out, _ = self.kcat_ok("-Q", "-t", f"{self.topic}:0:{TIME_MS + 1500}")
        self.assertIn("[0] offset 2", out)
        wire = self.wire()
        self.assertEqual(wire.offset_at(self.topic, 0, TIME_MS + 1500), (0, TIME_MS + 2000, 2))
        self.assertEqual(wire.offset_at(self.topic, 0, TIME_MS + 4001), (0, -1, -1))
        self.assertEqual(wire.offset_at(self.topic, 1, TIME_MS), (3, -1, -1))

    def test_an_idempotent_producer_writes_each_record_once(self):
        self.create(2)
        self.kcat_ok("-P", "-t", self.topic, "-X", "enable.idempotence=true", "-z", "zstd",
                     stdin=b"".join(b"%d\n" % i for i in range(5000)))
        self.assertEqual(sorted(map(int, self.consumed_by_grpc("%v"))), list(range(5000)))

    # Without -E it ends when it has lost all brokers, that is, the one.
    def test_kill_9_loses_and_doubles_nothing_and_keeps_the_order(self):
        partitions = 3
        self.create(partitions)
        place = ["-E", "-b", self.address, "-t", self.topic]
        load = KcatLoad(self, LineProcess(["kcat", "-P", *place, "-vvv", "-K", ":", "-z", "lz4",
                                           "-X", "enable.idempotence=true"]))
        reader = LineProcess(["kcat", "-C", *place, "-o", "beginning", "-u", "-f", "%p %o %s\\n"])
        self.addCleanup(reader.kill)
        load.kill_server_again_and_again()
        load.end()
        stored = load.stored()
        self.assertEqual(sorted(number for places in stored.values() for _, number in places), list(range(load.sent)))
        self.wait_until(lambda: len(reader.lines) >= load.sent, f"{len(reader.lines)} were read: {reader.said()}")
        found = [tuple(map(int, line.split())) for line in reader.lines]
        for partition in range(partitions):
            numbers = [number for _, number in stored[partition]]
            self.assertEqual(numbers, sorted(numbers))
            self.assertEqual([(offset, number) for p, offset, number in found if p == partition], stored[partition])

    def test_keys_headers_and_nulls_are_kept(self):
        self.create()
        self.kcat_ok("-P", "-t", self.topic, "-p", 0, "-K", ":", "-Z", "-H", "a=1", "-H", "a=2", "-H", "b=",
                     stdin=b"key:value\n:no key\nno value:\n")
        out, _ = self.kcat_ok("-C", "-t", self.topic, "-e", "-q", "-f", "%K %k %S %s %h\n")
        self.assertEqual(out.splitlines(), ["3 key 5 value a=1,a=2,b=", "-1  6 no key a=1,a=2,b=",
                                            "8 no value -1  a=1,a=2,b="])

    def test_a_topic_that_is_not_there_is_told(self):
        status, _, err = self.kcat("-C", "-t", "nowhere", "-e")
        self.assertEqual(status, 1, err)
        self.assertIn("Unknown topic or partition", err)
        self.assertEqual([t["topic"] for t in self.run_json("topic", "list") if t["topic"] == "nowhere"], [])

    def test_a_group_goes_on_where_it_has_committed(self):
        self.create()
        self.kcat_ok("-P", "-t", self.topic, stdin=b"a\nb\n")
        group = ["-X", "auto.offset.reset=earliest", "-e", "-q", "-G", "kcat-group", self.topic]
        self.assertEqual(self.kcat_ok(*group)[0], "a\nb\n")
        self.kcat_ok("-P", "-t", self.topic, stdin=b"c\n")
        self.assertEqual(self.kcat_ok(*group)[0], "c\n")
        self.assertEqual(self.run_json("group", "describe", "kcat-group")["partitions"][0]["committed"], 3)

    def test_a_transactional_id_is_refused_at_once(self):
        self.create()
        status, _, err = self.kcat("-P", "-t", self.topic, "-X", "transactional.id=t", stdin=b"a\n")
        self.assertEqual(status, 1)
        self.assertIn("transactions are not supported", err)
        self.assertEqual(self.ends(), [0])


if __name__ == "__main__":
    unittest.main()
