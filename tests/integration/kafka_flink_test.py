"""Apache Flink's Kafka source and sink, in a MiniCluster, against the Kafka port."""

import unittest

from kafka_copy import CopyTest
from kafka_kill_test import IdempotentLoad
from kafka_wire import TIME_MS


def checkpoints(program):
    """Those that the program's job has completed and not dropped, the oldest first."""
    complete = [file.parent for file in program.folder.glob("*/chk-*/_metadata")]
    return sorted(complete, key=lambda folder: int(folder.name.removeprefix("chk-")))


class FlinkTest(CopyTest):
    client = "flink"
    main = "CopyJobs"
    flags = ("--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED",
             "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
             "-Dorg.slf4j.simpleLogger.log.org.apache.flink.metrics=error")

    def job(self, **changes):
        return {"from": self.topic, "to": self.copy, "group": self.topic} | changes

    def run_job(self, **changes):
        self.expect("FINISHED", "copy", **self.job(**{"stop": "latest"} | changes))

    def wait_until_all_is_committed(self):
        self.wait_until(lambda: self.committed(self.topic) == dict(enumerate(self.ends())),
                        "not everything is committed")

    def run_until_all_is_committed(self):
        """A job that has no end, since Flink does not wait for the last commit of one that has."""
        with self.following(**self.job()):
            self.wait_until_all_is_committed()

    # Jobs that end.

    def test_every_record_is_copied_as_it_was(self):
        self.create_both(4)
        for partition in range(3):
            self.feed(500, partition)
        self.feed_large(partition=3)
        self.run_ok("produce", self.topic, "-k", ":", "-H", "front=grpc",
                    stdin=b"".join(b"%d:%d\n" % (i, i) for i in range(500)))
        self.run_job()
        self.assert_copied_once()

    def test_each_codec_is_written_and_read(self):
        self.create()
        self.feed(100)
        source = self.topic
        for codec in ("gzip", "snappy", "lz4", "zstd", "none"):
            with self.subTest(codec):
                sink = f"{self.topic}.{codec}"
                self.create(topic=sink)
                self.run_job(**{"from": source, "to": sink, "codec": codec})
                self.assertEqual(self.stored_codecs(topic=sink), {codec})
                source = sink
        self.assertEqual([value for *_, value, _ in self.records(source)[0]],
                         [value if value is None else 5 * b"mapped " + value
                          for *_, value, _ in self.records(self.topic)[0]])

    def test_a_job_goes_on_where_the_group_has_committed(self):
        self.create_both(2)
        for partition in range(2):
            self.feed(100, partition)
        self.run_until_all_is_committed()
        for partition in range(2):
            self.feed(50, partition)
        self.run_job(start="committed")
        self.assert_copied_once()

    def test_a_job_goes_on_where_grpc_has_reset_the_group(self):
        self.create_both(2)
        for partition in range(2):
            self.feed(100, partition)
        self.run_until_all_is_committed()
        self.run_ok("group", "reset", self.topic, self.topic, "-O", "90", "--partition", "1")
        self.create(2, topic="after.reset")
        self.run_job(start="committed", to="after.reset")
        self.assertEqual(self.copied("after.reset"), {1: list(range(90, 100))})

    def test_a_group_that_has_committed_nothing_is_an_error(self):
        self.create_both(1)
        self.expect_failure("NoOffsetForPartitionException", "copy", **self.job(start="committed", stop="latest"))

    def test_a_job_starts_and_stops_at_times(self):
        self.create_both(2)
        self.feed(100, partition=0)
        self.feed(100, partition=1, begin=50)
        self.run_job(start=f"timestamp:{TIME_MS + 60}", stop=f"timestamp:{TIME_MS + 80}")
        self.assertEqual(self.copied(), {0: list(range(60, 80)), 1: list(range(10, 30))})

    def test_a_topic_that_is_not_there_is_an_error(self):
        self.expect_failure("UnknownTopicOrPartitionException", "copy", **self.job(stop="latest"))

    def test_exactly_once_is_refused(self):
        self.create_both(1)
        self.feed(10)
        self.expect_failure("TransactionalIdAuthorizationException", "copy",
                            **self.job(stop="latest", guarantee="EXACTLY_ONCE", transactions="flink", restarts=1))
        self.assertEqual(self.ends(self.copy), [0])

    # Jobs that go on.

    def test_a_partition_that_is_added_is_read(self):
        self.create_both(1)
        self.feed(10)
        with self.following(**self.job()):
            self.wait_until(lambda: self.ends(self.copy) == [10], "nothing is copied")
            self.run_ok("topic", "add-partitions", self.copy, 2)
            self.run_ok("topic", "add-partitions", self.topic, 2)
            self.feed(10, partition=1)
            self.wait_until(lambda: self.ends(self.copy) == [10, 10], "the partition is not found")
        self.assert_copied_once()

    def test_a_job_lives_through_kills_of_the_server(self):
        self.create_both(3)
        load = IdempotentLoad(self)
        with self.following(**self.job()):
            self.kill_the_server_under(load)
            self.wait_until_all_is_committed()
        # Restarts of the job are switched off, so the sink's idempotent producer had nothing to send anew.
        self.assert_copied_once()

    def test_a_killed_job_goes_on_from_its_checkpoint(self):
        self.create_both(3)
        load = IdempotentLoad(self)
        killed = self.start_program()
        self.addCleanup(killed.end)
        killed.tell("follow", **self.job(checkpoints=killed.folder))
        self.wait_until(lambda: sum(self.committed(self.topic).values()) > 300, "nothing is committed")
        killed.process.kill()
        killed.process.wait()
        committed = self.committed(self.topic)
        with self.following(**self.job(recover=checkpoints(killed)[-1])):
            load.end()
            self.assertEqual(load.failed, [])
            self.wait_until_all_is_committed()
        doubled = {place for place, times in self.assert_copied().items() if times > 1}
        self.assertEqual({place for place in doubled if place[1] < committed.get(place[0], 0)}, set(),
                         "what came before the checkpoint was copied again")


if __name__ == "__main__":
    unittest.main()
