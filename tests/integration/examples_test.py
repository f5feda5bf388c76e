"""The programs of docs/examples against a server, as a reader would run them."""

import json
import subprocess
import time
import unittest

from server_fixture import ServerTest
from talosmq_process import BIN, talosmq

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class ExamplesTest(ServerTest):
    def create(self, topic, partitions=3):
        self.run_ok("topic", "create", topic, "-p", partitions)

    def run_example(self, name, *arguments, stdin=""):
        return subprocess.run(
            [str(BIN / f"example_{name}"), self.server.address, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_each_says_how_it_is_called(self):
        for name in (
            "produce",
            "consume",
            "push_consumer",
            "group_consume",
            "group_push",
            "simple",
            "traced",
        ):
            ended = subprocess.run([str(BIN / f"example_{name}")], capture_output=True, text=True)
            self.assertEqual(ended.returncode, 2, name)
            self.assertIn("usage: ", ended.stderr)

    def test_each_tells_an_unknown_topic(self):
        for name, arguments in (
            ("produce", ()),
            ("consume", ()),
            ("push_consumer", ()),
            ("simple", (0, "value")),
            ("traced", ("value", TRACEPARENT)),
        ):
            ended = self.run_example(name, "nowhere", *arguments)
            self.assertEqual(ended.returncode, 1, name)
            self.assertIn("nowhere", ended.stderr, name)

    def test_what_produce_sends_consume_prints(self):
        self.create("lines")
        lines = [f"line {number}" for number in range(1000)]
        ended = self.run_example("produce", "lines", stdin="\n".join(lines) + "\n")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        ended = self.run_example("consume", "lines")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(sorted(ended.stdout.splitlines()), sorted(lines))

    def test_push_consumer_prints_what_comes_and_stops_when_told(self):
        self.create("pushed")
        consumer = subprocess.Popen(
            [str(BIN / "example_push_consumer"), self.server.address, "pushed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        lines = [f"line {number}" for number in range(300)]
        ended = self.run_example("produce", "pushed", stdin="\n".join(lines) + "\n")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        printed = [consumer.stdout.readline() for _ in lines]
        rest, errors = consumer.communicate("", timeout=60)
        self.assertEqual((consumer.returncode, rest, errors), (0, "", ""))
        self.assertEqual(sorted(line.split(" ", 1)[1].strip() for line in printed), sorted(lines))
        offsets = {}
        for line in printed:
            partition, offset = line.split(" ", 1)[0].split(":")
            self.assertEqual(int(offset), offsets.get(partition, 0), "in order, without gap")
            offsets[partition] = int(offset) + 1

    def start_member(self, name, topic):
        member = subprocess.Popen(
            [str(BIN / f"example_{name}"), self.server.address, topic, f"{topic}-group"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(member.kill)
        return member

    def test_group_consume_goes_on_where_the_group_has_come_to(self):
        self.create("grouped")
        for begin in (0, 300):
            lines = [f"line {number}" for number in range(begin, begin + 300)]
            ended = self.run_example("produce", "grouped", stdin="\n".join(lines) + "\n")
            self.assertEqual(ended.returncode, 0, ended.stderr)
            member = self.start_member("group_consume", "grouped")
            printed = [member.stdout.readline() for _ in lines]
            rest, errors = member.communicate("", timeout=60)
            self.assertEqual((member.returncode, rest, errors), (0, "", ""))
            values = sorted(line.split(" ", 1)[1].strip() for line in printed)
            self.assertEqual(values, sorted(lines))

    def test_group_push_counts_what_comes(self):
        self.create("counted", partitions=1)
        lines = "".join(f"line {number}\n" for number in range(300))
        ended = self.run_example("produce", "counted", stdin=lines)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        member = self.start_member("group_push", "counted")
        self.assertEqual(member.stdout.readline(), "counted/0 begins at 0\n")
        deadline = time.monotonic() + 60
        lag = None
        while lag != 0 and time.monotonic() < deadline:
            status, out, err = talosmq(
                self.server, "group", "describe", "counted-group", "-o", "json"
            )
            self.assertEqual(status, 0, err)
            lag = json.loads(out)["partitions"][0]["lag"]
        out, errors = member.communicate("", timeout=60)
        self.assertEqual((member.returncode, out, errors), (0, "counted/0 counted 300\n", ""))

    def test_simple_reads_back_what_it_stored(self):
        self.create("single")
        for offset in range(3):
            ended = self.run_example("simple", "single", 2, f"value {offset}")
            self.assertEqual(ended.returncode, 0, ended.stderr)
            self.assertEqual(
                ended.stdout, f"stored at offset {offset}\n{offset} value {offset}\n"
            )

    def test_simple_tells_a_partition_that_is_not_there(self):
        self.create("small", partitions=1)
        ended = self.run_example("simple", "small", 7, "value")
        self.assertEqual(ended.returncode, 1)
        self.assertIn("found 7", ended.stderr)

    def test_traced_finds_its_record_with_headers_in_order(self):
        self.create("spans")
        self.run_example("produce", "spans", stdin="before\nafter\n")
        ended = self.run_example("traced", "spans", "inside", TRACEPARENT)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(
            ended.stdout, f"inside\ncontent-type: text/plain\ntraceparent: {TRACEPARENT}\n"
        )
        self.assertIn("1 sent, ", ended.stderr)
        status, out, err = talosmq(
            self.server, "consume", "spans", "-O", "start", "-e", "-f", "%v %h\n"
        )
        self.assertEqual(status, 0, err)
        self.assertIn(f"traceparent={TRACEPARENT}", out, "other clients see it, too")

    def test_traced_refuses_what_is_no_traceparent(self):
        ended = self.run_example("traced", "spans", "inside", TRACEPARENT.upper())
        self.assertEqual(ended.returncode, 2)
        self.assertIn("not a traceparent", ended.stderr)


if __name__ == "__main__":
    unittest.main()
