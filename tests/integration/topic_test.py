"""The life of topics through the command line: labels, alterations, deletion and what is told."""

import concurrent.futures
import select
import time
import unittest

from server_fixture import ServerTest
from talosmq_process import talosmq

WAIT_SECONDS = 30
SETTINGS = ("broker.cleanup_interval_ms=200",)


class TopicTest(ServerTest):
    settings = SETTINGS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        talosmq(cls.server, "topic", "create", "plain")
        cls.without_labels = talosmq(cls.server, "topic", "list")[1]

    def run_failing(self, *arguments):
        status, out, err = talosmq(self.server, *arguments)
        self.assertEqual(status, 1, f"{arguments}: {out}")
        return err

    def wait_until(self, holds):
        deadline = time.monotonic() + WAIT_SECONDS
        while not holds():
            self.assertLess(time.monotonic(), deadline, self.server.log())
            select.select([], [], [], 0.05)

    def listed(self, *filters):
        return [topic["topic"] for topic in self.run_json("topic", "list", *filters)]

    def test_labels_are_shown_and_filtered_by(self):
        self.assertIn("plain", self.without_labels)
        self.assertNotIn("labels", self.without_labels)
        for name, labels in (("red", ("team=shop", "tier=1")), ("green", ("team=shop",)),
                             ("blue", ("team=ads", "tier=2=b"))):
            flags = [flag for label in labels for flag in ("-c", f"label.{label}")]
            self.run_ok("topic", "create", name, *flags)
        self.assertEqual(self.listed("--label", "team=shop"), ["green", "red"])
        self.assertEqual(self.listed("--label", "tier"), ["blue", "red"])
        self.assertEqual(self.listed("--label", "tier", "--label", "team=shop"), ["red"])
        self.assertEqual(self.listed("--label", "tier=2=b"), ["blue"])
        self.assertEqual(self.listed("--label", "team=shop", "--label", "team=ads"), [])

        rows = {topic["topic"]: topic["labels"] for topic in self.run_json("topic", "list")}
        self.assertEqual(rows["red"], {"team": "shop", "tier": "1"})
        self.assertIn("team=shop,tier=1", self.run_ok("topic", "list"))
        self.assertEqual(self.run_json("topic", "describe", "blue")["labels"],
                         {"team": "ads", "tier": "2=b"})

        self.run_ok("topic", "alter", "red", "--unset", "label.tier", "-c", "label.owner=me")
        self.assertEqual(self.run_json("topic", "describe", "red")["labels"],
                         {"owner": "me", "team": "shop"})

        status, out, err = talosmq(self.server, "topic", "list", "--label", "no=one", "--label", "x")
        self.assertEqual((status, out), (0, ""))
        self.assertIn("no topic has the label no=one and x", err)
        self.assertIn("label.a/b", self.run_failing("topic", "alter", "red", "-c", "label.a/b=1"))
        for name in ("red", "green", "blue"):
            self.run_ok("topic", "delete", name)

    def test_wrong_filter_is_wrong_usage(self):
        for label in ("", "=x"):
            status, _, err = talosmq(self.server, "topic", "list", "--label", label)
            self.assertEqual(status, 2, err)

    def test_alterations_at_once_keep_to_their_own_keys(self):
        self.run_ok("topic", "create", "altered", "-c", "label.stays=1")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            done = [pool.submit(self.run_ok, "topic", "alter", "altered", "-c", f"label.l{i}={i}")
                    for i in range(16)]
            done += [pool.submit(self.run_ok, "topic", "alter", "altered", "-c",
                                 "max.record.bytes=1000000")]
            for each in done:
                each.result()
        described = self.run_json("topic", "describe", "altered")
        self.assertEqual(described["labels"],
                         {"stays": "1"} | {f"l{i}": str(i) for i in range(16)})
        self.assertIn({"key": "max.record.bytes", "value": "1000000", "is_default": False},
                      described["configs"])

    def test_description_counts_what_is_there_and_what_ever_was(self):
        self.run_ok("topic", "create", "counted", "-p", "2")
        empty = self.run_json("topic", "describe", "counted")
        self.assertEqual((empty["state"], empty["live_records"], empty["lifetime_bytes"]),
                         ("active", 0, 0))
        self.run_ok("produce", "counted", stdin=b"".join(b"%d\n" % i for i in range(100)))
        described = self.run_json("topic", "describe", "counted")
        self.assertEqual((described["live_records"], described["lifetime_records"]), (100, 100))
        self.assertGreater(described["live_bytes"], 100)
        self.assertEqual(described["lifetime_bytes"], described["live_bytes"])
        for partition in described["partitions"]:
            self.assertEqual(partition["log_start_offset"], 0)
            self.assertEqual(partition["high_watermark"], partition["log_end_offset"])
            self.assertEqual(partition["live_records"], partition["high_watermark"])
            self.assertEqual(partition["lifetime_records"], partition["log_end_offset"])
            self.assertEqual(partition["lifetime_bytes"], partition["size_bytes"])

    def test_trimmed_records_are_gone_and_the_next_offset_is_told(self):
        self.run_ok("topic", "create", "trimmed", "-p", "1")
        self.run_ok("produce", "trimmed", stdin=b"".join(b"%d\n" % i for i in range(10)))
        trimmed = self.run_json("topic", "trim", "trimmed", "--partition", "0", "--before", "4")
        self.assertEqual(trimmed["log_start_offset"], 4)
        again = self.run_json("topic", "trim", "trimmed", "--partition", "0", "--before", "2")
        self.assertEqual(again["log_start_offset"], 4)
        self.assertEqual(self.run_ok("consume", "trimmed", "-O", "start", "-e").split(),
                         [str(i) for i in range(4, 10)])
        described = self.run_json("topic", "describe", "trimmed")
        self.assertEqual((described["live_records"], described["lifetime_records"]), (6, 10))
        refused = self.run_failing("topic", "trim", "trimmed", "--partition", "0", "--before", "11")
        self.assertIn("[0, 10]", refused)
        self.run_failing("topic", "trim", "trimmed", "--partition", "1", "--before", "1")
        self.run_failing("topic", "trim", "nosuch", "--partition", "0", "--before", "1")

    def test_retention_deletes_segments_while_records_come(self):
        self.run_ok("topic", "create", "kept", "-p", "1", "-c", "segment.bytes=1048576",
                    "-c", "max.message.bytes=1048576", "-c", "retention.bytes=2097152")
        line = b"x" * 999 + b"\n"
        for _ in range(8):
            self.run_ok("produce", "kept", stdin=line * 1000)
        topic_id = self.run_json("topic", "describe", "kept")["topic_id"]
        folder = self.server.data / "topics" / topic_id / "0"
        # Since the sweep is on its own time: until only so much is left that no other one takes more.
        self.wait_until(lambda: len(list(folder.glob("*.log"))) <= 3)
        described = self.run_json("topic", "describe", "kept")
        partition = described["partitions"][0]
        self.assertGreater(partition["log_start_offset"], 0)
        self.assertGreaterEqual(partition["size_bytes"], 2097152)
        self.assertEqual(described["lifetime_records"], 8000)
        self.assertGreater(described["lifetime_bytes"], 8_000_000)
        self.assertEqual(len(self.run_ok("consume", "kept", "-O", "start", "-e").split()),
                         partition["live_records"])

    def test_compaction_leaves_the_last_record_of_each_key(self):
        self.run_ok("topic", "create", "latest", "-p", "1", "-c", "cleanup.policy=compact",
                    "-c", "segment.bytes=1048576", "-c", "max.message.bytes=1048576")
        lines = [f"key{i % 10}:{i} {'x' * 990}" for i in range(4000)]
        for begin in range(0, 4000, 500):
            self.run_ok("produce", "latest", "-k", ":",
                        stdin="".join(f"{line}\n" for line in lines[begin:begin + 500]).encode())
        topic_id = self.run_json("topic", "describe", "latest")["topic_id"]
        folder = self.server.data / "topics" / topic_id / "0"
        # The name of a compacted segment tells of the offsets that it stands for, so a "-" is in
        # it; how many there are depends on how many segments each sweep found complete.
        self.wait_until(lambda: ["-" in segment.name for segment in folder.glob("*.log")]
                        .count(False) == 1)
        self.server.process.terminate()
        self.server.process.wait()
        (self.server.data / "listeners.json").unlink(missing_ok=True)
        self.server.start(SETTINGS)
        read = self.run_ok("consume", "latest", "-O", "start", "-e", "-f", "%k:%v\\n").splitlines()
        self.assertLess(len(read), 2500)
        self.assertEqual({line.split(":")[0]: line for line in read},
                         {f"key{i % 10}": line for i, line in enumerate(lines)})
        self.assertIn("key", self.run_failing("produce", "latest", "-f", "/etc/hostname"))
        self.run_ok("topic", "delete", "latest")

    def test_name_of_a_deleted_topic_is_free_at_once(self):
        ids = set()
        for round_number in range(5):
            self.run_ok("topic", "create", "again", "-p", "20")
            ids.add(self.run_json("topic", "describe", "again")["topic_id"])
            self.run_ok("produce", "again", stdin=b"round %d\n" % round_number)
            self.assertEqual(self.run_ok("consume", "again", "-O", "start", "-e"),
                             f"round {round_number}\n")
            self.run_ok("topic", "delete", "again")
        self.assertEqual(len(ids), 5)

    def test_deletion_is_finished_after_a_kill_and_may_be_repeated(self):
        self.run_ok("topic", "create", "doomed", "-p", "200")
        self.run_ok("produce", "doomed", stdin=b"".join(b"%d\n" % i for i in range(5000)))
        topic_id = self.run_json("topic", "describe", "doomed")["topic_id"]
        self.run_ok("topic", "delete", "doomed")
        self.server.process.kill()
        self.server.process.wait()
        (self.server.data / "listeners.json").unlink()
        self.server.start(SETTINGS)
        status, _, err = talosmq(self.server, "topic", "delete", "doomed")
        self.assertTrue(status == 0 or "no topic is called" in err, err)

        deadline = time.monotonic() + WAIT_SECONDS
        while (self.server.data / "topics" / topic_id).exists() or "doomed" in self.listed():
            self.assertLess(time.monotonic(), deadline, "the deletion is not finished")
            select.select([], [], [], 0.05)
        self.assertIn("no topic is called", self.run_failing("topic", "delete", "doomed"))
        self.assertEqual(self.run_json("cluster", "health")["orphans"], [])


if __name__ == "__main__":
    unittest.main()
