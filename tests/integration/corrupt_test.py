"""A flipped bit in a segment of a real server: who is told what, who goes on, and what an operator decides."""

import json
import re
import select
import signal
import unittest
import urllib.request

import yaml

from talosmq_process import Server, talosmq

TOPIC = "orders"
RECORDS = 6
DAMAGED = 3
SOUND = [offset for offset in range(RECORDS) if offset != DAMAGED]
VALUE_BYTES = 6_000  # More than the smallest run, so that damage hides one record.


def batch_positions(segment):
    """Where each batch of a segment begins: 8 bytes of base offset, 4 of the length that follows."""
    content = segment.read_bytes()
    position = 0
    while position + 12 <= len(content) and any(content[position : position + 12]):
        yield position
        position += 12 + int.from_bytes(content[position + 8 : position + 12], "big")


class CorruptTest(unittest.TestCase):
    """Six records, each a run of its own, of which the fourth is damaged."""

    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.run_ok("topic", "create", TOPIC, "-p", "1")
        for offset in range(RECORDS):
            self.run_ok("produce", TOPIC, stdin=b"%d:" % offset + b"v" * VALUE_BYTES + b"\n")
        self.halt()
        (self.segment,) = self.server.data.glob("topics/*/0/*.log")
        position = list(batch_positions(self.segment))[DAMAGED] + 100
        content = bytearray(self.segment.read_bytes())
        content[position] ^= 1
        self.segment.write_bytes(content)
        self.server.start()

    def halt(self):
        self.server.process.send_signal(signal.SIGTERM)
        self.server.process.wait(timeout=60)

    def run_ok(self, *arguments, stdin=b""):
        status, out, err = talosmq(self.server, *arguments, stdin=stdin)
        self.assertEqual(status, 0, f"{arguments}: {err}")
        return out

    def consume(self, *arguments):
        status, out, err = talosmq(self.server, "consume", TOPIC, "-e", "-f", "%o\\n", *arguments)
        return status, [int(line) for line in out.splitlines()], err

    def metric(self, name):
        with urllib.request.urlopen(f"http://{self.server.http}/metrics", timeout=30) as response:
            text = response.read().decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))

    def health(self):
        status, out, _ = talosmq(self.server, "cluster", "health", "-o", "json")
        return status, json.loads(out)

    def make_dump(self, *settings):
        target = self.server.directory / "dump"
        self.run_ok("dump", "create", "job", "--topic", TOPIC, "--to", f"file://{target}",
                    "--format", "json", "-c", "roll.ms=100", *settings)
        return target

    def wait_for_dump(self, holds):
        while True:
            described = json.loads(self.run_ok("dump", "describe", "job", "-o", "json"))
            if holds(described):
                return described
            select.select([], [], [], 0.05)

    @staticmethod
    def dumped_offsets(target):
        lines = [line for file in target.rglob("*.json") for line in file.read_text().splitlines()]
        return sorted(json.loads(line)["offset"] for line in lines)

    def test_reader_stops_before_the_damage_and_is_told_where_it_ends(self):
        status, offsets, err = self.consume()
        self.assertEqual((status, offsets), (1, [0, 1, 2]))
        self.assertIn(self.segment.name, err)
        self.assertIn("offsets 3 to 3 cannot be read, the next readable one is 4", err)
        self.assertIn("next offsets: partition 0: 3", err)
        self.assertEqual(self.consume("-O", "4")[:2], (0, [4, 5]))

    def test_reader_that_skips_goes_on_and_says_what_is_missing(self):
        status, offsets, err = self.consume("--on-corrupt", "skip")
        self.assertEqual((status, offsets), (0, SOUND))
        self.assertIn("partition 0: 1 offsets were skipped, 3 to 3", err)
        status, offsets, _ = self.consume("--on-corrupt", "skip", "-O", "3..4")
        self.assertEqual((status, offsets), (0, []), "a range that is damaged to its end still ends")
        self.assertEqual(self.consume("--on-corrupt", "jump")[0], 2)

    def test_health_and_metric_show_what_was_met(self):
        self.assertEqual(self.health()[0], 0, "nobody has read it yet")
        self.consume()
        status, health = self.health()
        self.assertEqual(status, 1)
        (problem,) = health["problems"]
        self.assertEqual(problem["object"], f"partition {TOPIC}/0")
        self.assertIn(f"talosmq partition skip-corrupt {TOPIC} 0 --to 4", problem["problem"])
        self.assertIn(self.segment.name, problem["problem"])
        self.assertEqual(self.metric("talosmq_broker_corrupt_ranges"), 1)

    def test_dump_job_fails_at_the_damage_and_goes_on_after_a_decision(self):
        target = self.make_dump()
        described = self.wait_for_dump(lambda job: job["state"] == "failed")
        self.assertIn("offsets 3 to 3 cannot be read", described["error"])
        self.assertEqual(self.dumped_offsets(target), [0, 1, 2])
        self.run_ok("partition", "skip-corrupt", TOPIC, "0", "--to", "4")
        self.run_ok("dump", "resume", "job")
        self.wait_for_dump(lambda job: job["lag_records"] == 0)
        self.assertEqual(self.dumped_offsets(target), SOUND)

    def test_dump_job_that_skips_counts_what_it_left_out(self):
        target = self.make_dump("-c", "on_corrupt=skip")
        described = self.wait_for_dump(lambda job: job["lag_records"] == 0)
        self.assertEqual(self.dumped_offsets(target), SOUND)
        self.assertEqual((described["state"], described["records_published"], described["offsets_skipped"]),
                         ("running", len(SOUND), 1))
        self.assertEqual(self.metric("talosmq_dump_offsets_skipped_total"), 1)

    def test_decision_moves_every_reader_on_and_survives_a_restart(self):
        self.consume()
        skip = ["partition", "skip-corrupt", TOPIC, "0", "--to", "4"]
        decided = json.loads(self.run_ok(*skip, "-o", "json"))
        self.assertEqual((decided["topic"], decided["partition"]), (TOPIC, 0))
        self.assertEqual((decided["first_offset"], decided["next_offset"]), (3, 4))
        self.assertEqual(yaml.safe_load(self.run_ok(*skip, "-o", "yaml")), decided, "twice is once")
        self.assertIn("3", self.run_ok(*skip))
        for is_restarted in (False, True):
            if is_restarted:
                self.halt()
                self.server.start()
            with self.subTest(is_restarted=is_restarted):
                self.assertEqual(self.consume()[:2], (0, SOUND))
                self.assertEqual(self.consume("-O", "3")[:2], (0, [4, 5]))
                self.assertEqual(self.metric("talosmq_broker_corrupt_ranges"), 0)
                status, health = self.health()
                self.assertEqual((status, health["problems"]), (0, []))
                self.assertIn("offsets 3 to 3", json.dumps(health["warnings"]))
                described = json.loads(self.run_ok("topic", "describe", TOPIC, "-o", "json"))
                self.assertEqual(described["partitions"][0]["skipped"],
                                 [{"first_offset": 3, "next_offset": 4}])

    def test_damage_at_the_end_ends_a_reading_once_it_is_decided(self):
        self.run_ok("partition", "skip-corrupt", TOPIC, "0", "--to", "4")
        self.halt()
        content = bytearray(self.segment.read_bytes())
        content[list(batch_positions(self.segment))[RECORDS - 1] + 100] ^= 1
        self.segment.write_bytes(content)
        self.server.start()
        self.assertEqual(self.consume("-O", "4")[:2], (1, [4]))
        self.run_ok("partition", "skip-corrupt", TOPIC, "0", "--to", str(RECORDS))
        self.assertEqual(self.consume("-O", "4")[:2], (0, [4]))

    def test_wrong_decisions_are_refused(self):
        for arguments, status, words in (
            ((TOPIC, "0", "--to", "3"), 1, "nothing damaged is known"),
            ((TOPIC, "0", "--to", "0"), 1, "nothing damaged is known"),
            ((TOPIC, "0", "--to", str(RECORDS + 1)), 1, f"expected an offset in [0, {RECORDS}]"),
            ((TOPIC, "1", "--to", "4"), 1, "expected a partition from 0 to 0"),
            (("nothing", "0", "--to", "4"), 1, "no topic is called 'nothing'"),
            ((TOPIC, "0"), 2, "--to"),
            ((TOPIC, "0", "--to", "-1"), 2, "--to"),
            ((TOPIC, "-1", "--to", "4"), 2, "PARTITION"),
        ):
            with self.subTest(arguments=arguments):
                ended, out, err = talosmq(self.server, "partition", "skip-corrupt", *arguments)
                self.assertEqual((ended, out), (status, ""))
                self.assertIn(words, err)
        self.assertEqual(self.consume()[:2], (1, [0, 1, 2]))

    def test_verify_finds_it_beside_the_running_server(self):
        status, out, _ = talosmq(self.server, "log", "verify", self.server.data, "-o", "json")
        self.assertEqual(status, 1)
        self.assertIn(self.segment.name, out)


class UnreadableFileTest(unittest.TestCase):
    """After a kill -9 the epoch file of one of many logs cannot be read; all else still works."""

    PARTITIONS = 32  # So many at once go through the journal.
    BAD = 3

    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.stop)
        made = self.run_ok("topic", "create", TOPIC, "-p", str(self.PARTITIONS), "-o", "json")
        topic = self.server.data / "topics" / json.loads(made)["topic_id"]
        records = b"".join(b"%d:%d\n" % (key, key) for key in range(2000))
        self.run_ok("produce", TOPIC, "-k", ":", stdin=records)
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        self.epochs = topic / str(self.BAD) / "epochs"
        self.epochs.parent.mkdir(parents=True, exist_ok=True)
        self.sound = self.epochs.with_name("epochs.sound")
        if self.epochs.exists():  # The server was quick to write it.
            self.epochs.rename(self.sound)
        self.epochs.mkdir()
        (self.server.data / "listeners.json").unlink()
        self.server.start()

    run_ok = CorruptTest.run_ok

    def consume(self, partition):
        return talosmq(self.server, "consume", TOPIC, "-e", "--partition", str(partition))

    def test_one_partition_is_closed_until_the_file_is_sound(self):
        status, _, err = self.consume(self.BAD)
        self.assertEqual(status, 1)
        self.assertIn(str(self.epochs), err)
        status, out, _ = talosmq(self.server, "cluster", "health", "-o", "json")
        self.assertEqual(status, 1)
        self.assertIn(f"partition {TOPIC}/{self.BAD}", out)
        others = [partition for partition in range(self.PARTITIONS) if partition != self.BAD]
        values = {int(line) for partition in others for line in self.consume(partition)[1].split()}
        self.assertGreater(len(values), 1800)

        self.epochs.rmdir()
        if self.sound.exists():
            self.sound.rename(self.epochs)
        while self.consume(self.BAD)[0] != 0:  # It is opened again after a rest.
            pass
        values |= {int(line) for line in self.consume(self.BAD)[1].split()}
        self.assertEqual(values, set(range(2000)))


if __name__ == "__main__":
    unittest.main()
