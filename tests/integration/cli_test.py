"""The command line against a real server: every command in every form, and what goes wrong."""

import datetime
import json
import re
import select
import shutil
import signal
import subprocess
import time
import types
import unittest

import yaml

from cli_interrupt_test import SilentServer
from server_fixture import ServerTest
from talosmq_process import BIN, environment, start_talosmq, talosmq

SNAKE_CASE = re.compile(r"^[a-z][a-z0-9_.]*$")


def keys_of(document):
    """All keys of a document, also those of what lies inside."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield key
            if key not in ("configs", "set"):  # Their keys are settings and have names of their own.
                yield from keys_of(value)
    elif isinstance(document, list):
        for item in document:
            yield from keys_of(item)


class CliTest(ServerTest):
    def run_failing(self, *arguments, stdin=b"", expected=1):
        status, out, err = talosmq(self.server, *arguments, stdin=stdin)
        self.assertEqual(status, expected, f"{arguments}: {out}{err}")
        self.assertTrue(err.startswith("talosmq"), err)
        return err

    def make_topic(self, name, *arguments):
        self.run_ok("topic", "create", name, *arguments)
        return name


class FormsTest(CliTest):
    """Everything that answers with a document does so as a table, as JSON and as YAML."""

    def commands_that_ask(self, topic, job):
        return (
            ["topic", "list"],
            ["topic", "describe", topic],
            ["dump", "list"],
            ["dump", "describe", job],
            ["cluster", "describe"],
            ["cluster", "health"],
            ["broker", "list"],
            ["partition", "list"],
            ["partition", "list", topic],
            ["log", "inspect", self.server.data],
            ["log", "inspect", self.server.data, "--batches"],
            ["log", "verify", self.server.data],
        )

    @staticmethod
    def commands_that_change(name, target):
        """Of a topic and a dump job of one name, from their making to their end."""
        return (
            ["topic", "create", name, "-p", "1"],
            ["topic", "alter", name, "-c", "max.record.bytes=1000000"],
            ["topic", "alter", name, "--unset", "max.record.bytes"],
            ["topic", "add-partitions", name, "2"],
            ["topic", "trim", name, "--partition", "0", "--before", "0"],
            ["dump", "create", name, "--topic", name, "--to", target, "--format", "raw"],
            ["dump", "pause", name],
            ["dump", "resume", name],
            ["dump", "delete", name],
            ["topic", "delete", name],
        )

    def benches(self):
        small = ["--records", "500", "--size", "100"]
        return (
            ["bench", "produce", *small, "--runs", "2"],
            ["bench", "consume", *small],
            ["bench", "latency", *small, "--rate", "20000"],
            ["bench", "ceiling", *small, "--directory", self.server.directory],
        )

    def test_no_command_is_forgotten_here(self):
        known = [*self.commands_that_ask("t", "j"), *self.commands_that_change("t", "u")]
        known = {" ".join(command[:2]) for command in known + [*self.benches()]}
        # Those that stream, those with nothing to list, groups and what needs damage have tests of their own;
        # a script is no document.
        elsewhere = {"produce", "consume", "dump watch", "orphan list", "orphan delete",
                     "partition skip-corrupt", "group list", "group describe", "group reset", "group delete",
                     "completion bash", "completion zsh", "user create", "user list", "user delete"}
        self.assertEqual(known | elsewhere, set(self.all_commands()))

    def all_commands(self):
        """Every command of the program, by its own completion; groups are not commands."""
        script = self.run_ok("completion", "bash")
        paths = re.search(r"^ +(/\S+)\) path=", script, re.MULTILINE)[1].split("|")
        for path in paths:
            if not any(other.startswith(path + "/") for other in paths):
                yield path[1:].replace("/", " ")

    def check_forms(self, *arguments):
        table = self.run_ok(*arguments)
        self.assertTrue(table.strip(), arguments)
        document = json.loads(self.run_ok(*arguments, "-o", "json"))
        self.assertTrue(list(keys_of(document)), arguments)
        for key in keys_of(document):
            self.assertRegex(key, SNAKE_CASE)
        from_yaml = yaml.safe_load(self.run_ok("-o", "yaml", *arguments))
        if arguments[0] == "log":  # What lies in the directory changes while topics are deleted.
            self.assertEqual(list(from_yaml), list(document), arguments)
        else:
            self.assertEqual(list(keys_of(from_yaml)), list(keys_of(document)), arguments)

    def test_commands_that_ask(self):
        topic = self.make_topic("forms", "-p", "2")
        self.run_ok("produce", topic, stdin=b"a\nb\nc\n")
        target = f"file://{self.server.directory}/forms"
        self.run_ok("dump", "create", "forms", "--topic", topic, "--to", target, "--format", "json")
        for command in self.commands_that_ask(topic, "forms"):
            with self.subTest(command=command):
                self.check_forms(*command)
        self.run_ok("dump", "delete", "forms")
        self.run_ok("topic", "delete", topic)

    def test_commands_that_change(self):
        for form in ("table", "json", "yaml"):
            topic = f"changes-{form}"
            target = f"file://{self.server.directory}/{topic}"
            for command in self.commands_that_change(topic, target):
                with self.subTest(command=command, form=form):
                    out = self.run_ok(*command, "-o", form)
                    if form != "table":
                        self.assertIn("result", yaml.safe_load(out))

    def test_benches(self):
        for command in self.benches():
            with self.subTest(command=command):
                self.check_forms(*command)
                document = self.run_json(*command)
                self.assertGreater(document["records_per_second"], 0)
                self.assertEqual(set(document["latency_ms"]), {"p50", "p99", "p999", "max"})
        left = [t for t in self.run_json("topic", "list") if t["topic"].startswith("bench-")]
        self.assertTrue(all(t["state"] == "deleting" for t in left), left)


class ProduceTest(CliTest):
    def test_unknown_topic_is_told(self):
        self.assertIn("nowhere", self.run_failing("produce", "nowhere", stdin=b"x\n"))

    def test_missing_file_is_told(self):
        topic = self.make_topic("missing-file")
        self.assertIn("/no/file", self.run_failing("produce", topic, "-f", "/no/file"))

    def test_line_without_key_stops_and_says_how_far_it_came(self):
        topic = self.make_topic("no-key", "-p", "1")
        err = self.run_failing("produce", topic, "-k", ":", stdin=b"a:1\nb:2\nnone\nc:3\n")
        self.assertIn("2 records are acknowledged", err)
        self.assertIn("line 3", err)
        self.assertEqual(self.run_ok("consume", topic, "-e"), "1\n2\n")

    def test_nothing_to_send_is_said(self):
        topic = self.make_topic("nothing-to-send")
        status, out, err = talosmq(self.server, "produce", topic)
        self.assertEqual((status, out), (0, ""))
        self.assertIn("nothing was sent", err)

    def test_lines_arrive_as_they_are(self):
        topic = self.make_topic("lines", "-p", "1")
        lines = b"first\n\n  blanks \n\xc3\xa4\xff\x00\nlast without newline"
        self.run_ok("produce", topic, stdin=lines)
        process = start_talosmq(self.server, "consume", topic, "-e")
        out, _ = process.communicate(timeout=60)
        self.assertEqual(out, lines + b"\n")

    def test_each_codec_and_each_acks_arrives(self):
        topic = self.make_topic("codecs", "-p", "1")
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            self.run_ok("produce", topic, "-z", codec, stdin=f"{codec}\n".encode())
        for acks in ("all", "leader", "none"):
            self.run_ok("produce", topic, "--acks", acks, stdin=f"acks {acks}\n".encode())
        expected = "none\ngzip\nsnappy\nlz4\nzstd\nacks all\nacks leader\nacks none\n"
        # Without an acknowledgement the last one may still be on its way.
        self.assertEqual(self.run_ok("consume", topic, "-n", "8"), expected)

    def test_a_file_is_sent_as_standard_input_is(self):
        topic = self.make_topic("from-file", "-p", "1")
        file = self.server.directory / "lines"
        file.write_bytes(b"k1::v1\nk2::v::2\n")
        self.run_ok("produce", topic, "-f", file, "-k", "::")
        self.assertEqual(self.run_ok("consume", topic, "-e", "-f", "%k=%v\\n"), "k1=v1\nk2=v::2\n")

    def test_json_tells_each_acknowledged_batch(self):
        topic = self.make_topic("batches", "-p", "3")
        lines = b"".join(b"%d\n" % i for i in range(20000))
        out = self.run_ok("produce", topic, "-o", "json", stdin=lines)
        next_offset = {}
        for line in out.splitlines():
            batch = json.loads(line)
            self.assertEqual(set(batch), {"partition", "first_offset", "last_offset", "count"})
            # Dense and in order within a partition.
            self.assertEqual(batch["first_offset"], next_offset.get(batch["partition"], 0))
            self.assertEqual(batch["last_offset"] - batch["first_offset"] + 1, batch["count"])
            next_offset[batch["partition"]] = batch["last_offset"] + 1
        self.assertEqual(sum(next_offset.values()), 20000)

    def test_partition_key_and_headers_are_kept(self):
        topic = self.make_topic("parts", "-p", "4")
        arguments = ["--partition", "2", "-k", "\\t", "-H", "b=1", "-H", "a=", "-H", "b=2"]
        self.run_ok("produce", topic, *arguments, stdin=b"key\tva\tlue\n")
        record = self.run_json("consume", topic, "-e")
        self.assertEqual((record["partition"], record["key"], record["value"]), (2, "key", "va\tlue"))
        headers = [("b", "1"), ("a", ""), ("b", "2")]  # A list: order counts, keys repeat.
        self.assertEqual([(h["key"], h["value"]) for h in record["headers"]], headers)
        from_yaml = yaml.safe_load(self.run_ok("consume", topic, "-e", "-o", "yaml"))
        self.assertEqual([(h["key"], h["value"]) for h in from_yaml["headers"]], headers)
        self.assertEqual(self.run_ok("consume", topic, "-e", "-f", "%h\\n"), "b=1,a=,b=2\n")

    def test_interrupt_keeps_what_was_read(self):
        topic = self.make_topic("interrupted-produce", "-p", "1")
        process = start_talosmq(self.server, "produce", topic, "-o", "json")
        process.stdin.write(b"one\ntwo\n")
        process.stdin.flush()
        told = 0
        while told < 2:  # Both are acknowledged although the input is still open.
            told += json.loads(process.stdout.readline())["count"]
        process.send_signal(signal.SIGINT)
        # Its input stays open: it is the signal that must end it.
        self.assertEqual(process.wait(timeout=60), 1)
        self.assertIn("2 records are acknowledged, 0 are not", process.stderr.read().decode())
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()
        self.assertEqual(self.run_ok("consume", topic, "-e"), "one\ntwo\n")


class ConsumeTest(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        talosmq(cls.server, "topic", "create", "numbers", "-p", "1")
        talosmq(cls.server, "produce", "numbers", stdin=b"".join(b"%d\n" % i for i in range(100)))
        talosmq(cls.server, "topic", "create", "empty", "-p", "3")

    def test_unknown_topic_partition_and_offset_are_told(self):
        self.assertIn("nowhere", self.run_failing("consume", "nowhere", "-e"))
        self.assertIn("no 9", self.run_failing("consume", "numbers", "--partition", "9", "-e"))
        self.assertIn("ends at 100", self.run_failing("consume", "numbers", "-O", "500"))

    def test_reading_nothing_says_why(self):
        for arguments, why in (
            (["empty", "-e"], "holds no records"),
            (["empty", "-e", "-O", "-5"], "topic 'empty' holds no records"),
            (["empty", "-e", "--partition", "2"], "partition 2 of topic 'empty' holds no records"),
            (["numbers", "-e", "-O", "end"], "begins after the last record"),
            (["numbers", "-e", "-O", "@2001-01-01..@2001-01-02"], "stamped before 2001-01-02"),
            (["numbers", "-e", "-O", "..@2001-01-02"], "stamped before 2001-01-02"),
            (["numbers", "-e", "-O", "@2100-01-01"], "stamped at or after 2100-01-01"),
            (["numbers", "-O", "@2100-01-01..end"], "stamped at or after 2100-01-01"),
            (["numbers", "-O", "@2100-01-01..@2100-01-02"], "stamped at or after 2100-01-01"),
            (["numbers", "-O", "50..@2001-01-01"], "stamped before 2001-01-01"),
            (["numbers", "-O", "60..-50"], "partition 0: 0 to 99"),
            (["numbers", "-O", "100..200", "-e"], "none of the 100 records"),
        ):
            with self.subTest(arguments=arguments):
                status, out, err = talosmq(self.server, "consume", *arguments)
                self.assertEqual((status, out), (0, ""))
                self.assertIn(why, err)

    def test_ranges(self):
        for arguments, expected in (
            (["-e"], range(100)),
            (["-e", "-O", "start"], range(100)),
            (["-e", "-O", "97"], range(97, 100)),
            (["-e", "-O", "-3"], range(97, 100)),
            (["-e", "-O", "-1000"], range(100)),
            (["-O", "10..13"], range(10, 13)),
            (["-e", "-O", "98..5000"], range(98, 100)),
            (["-e", "-O", "@-1h"], range(100)),
            (["-e", "-O", "@-1h..@2100-01-01"], range(100)),
            (["-O", "10..-88"], range(10, 12)),
            (["-O", "-5..-3"], range(95, 97)),
            (["-O", "-5..97"], range(95, 97)),
            (["-O", "..2"], range(2)),
            (["-O", "start..2"], range(2)),
            (["-O", "98..end"], range(98, 100)),
            (["-O", "..end", "--partition", "0"], range(100)),
            (["-e", "-O", "98.."], range(98, 100)),
            (["-O", "@-1h..3"], range(3)),
            (["-O", "97..@2100-01-01"], range(97, 100)),
            (["-n", "4"], range(4)),
            (["-n", "2", "-O", "50"], range(50, 52)),
        ):
            with self.subTest(arguments=arguments):
                out = self.run_ok("consume", "numbers", *arguments)
                self.assertEqual(out, "".join(f"{i}\n" for i in expected))

    def test_ranges_by_time_begin_and_end_at_the_first_record_stamped_then(self):
        stamps = self.run_ok("consume", "numbers", "-e", "-f", "%T\\n").split()
        for offset in (0, 50, 99):
            first = stamps.index(stamps[offset])  # Records of one batch may share a stamp.
            seconds, ms = divmod(int(stamps[offset]), 1000)
            exact = f"{datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc):%Y-%m-%dT%H:%M:%S}.{ms:03}Z"
            for time in (stamps[offset], exact):
                with self.subTest(time=time):
                    out = self.run_ok("consume", "numbers", "-e", "-O", f"@{time}")
                    self.assertEqual(out.split(), [str(i) for i in range(first, 100)])
                    out = self.run_ok("consume", "numbers", "-O", f"..@{time}")
                    self.assertEqual(out.split(), [str(i) for i in range(first)])

    def test_format(self):
        out = self.run_ok("consume", "numbers", "-O", "7..9", "-f", "%t\\t%p\\t%o\\t%k\\t%v\\t%h%%\\n")
        self.assertEqual(out, "numbers\t0\t7\t\t7\t%\nnumbers\t0\t8\t\t8\t%\n")
        stamp = self.run_ok("consume", "numbers", "-n", "1", "-f", "%T")
        self.assertRegex(stamp, r"^\d{13}$")

    def test_json_and_yaml_stream_one_object_a_record(self):
        lines = self.run_ok("consume", "numbers", "-e", "-o", "json").splitlines()
        self.assertEqual([json.loads(line)["offset"] for line in lines], list(range(100)))
        documents = list(yaml.safe_load_all(self.run_ok("consume", "numbers", "-n", "3", "-o", "yaml")))
        self.assertEqual([document["value"] for document in documents], ["0", "1", "2"])

    def test_closed_pipe_ends_quietly(self):
        topic = self.make_topic("closed-pipe", "-p", "1")
        self.run_ok("produce", topic, stdin=b"x" * 99 + b"\n" + (b"y" * 99 + b"\n") * 50000)
        process = start_talosmq(self.server, "consume", topic, "-e")
        self.assertEqual(process.stdout.readline(), b"x" * 99 + b"\n")
        process.stdout.close()
        self.assertEqual(process.wait(timeout=60), 0)
        self.assertEqual(process.stderr.read(), b"")
        process.stdin.close()
        process.stderr.close()

    def test_interrupt_leaves_whole_lines_and_tells_where_to_go_on(self):
        topic = self.make_topic("interrupted", "-p", "1")
        lines = b"".join(b"%09d\n" % i for i in range(200000))
        self.run_ok("produce", topic, stdin=lines)
        # Unbuffered: communicate() would not see what read() left in a buffer.
        process = start_talosmq(self.server, "consume", topic, bufsize=0)
        head = process.stdout.read(1000)  # Much more waits; it is in the middle of its work.
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)  # Without -e or -n there was nothing to finish.
        told = re.search(r"next offsets: partition 0: (\d+)", err.decode())
        self.assertIsNotNone(told, err)
        self.assertEqual(head + out, lines[: 10 * int(told.group(1))])

    def test_interrupt_of_a_bounded_read_is_a_failure(self):
        process = start_talosmq(self.server, "consume", "empty", "-n", "1")
        # It says nothing before the first record, so it is interrupted as soon as it has connected;
        # whenever that is, the answer is the same.
        self.assertEqual(select.select([process.stdout], [], [], 1.0)[0], [])
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out), (1, b""))
        self.assertIn(b"interrupted after 0 records", err)

    def test_waits_for_records_that_come_later(self):
        topic = self.make_topic("later", "-p", "1")
        process = start_talosmq(self.server, "consume", topic, "-n", "1")
        self.run_ok("produce", topic, stdin=b"here\n")
        out, _ = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out), (0, b"here\n"))


class DumpTest(CliTest):
    def test_wrong_jobs_are_told(self):
        topic = self.make_topic("dump-errors")
        target = f"file://{self.server.directory}/dump-errors"
        make = ["dump", "create", "wrong", "--topic", topic, "--format", "json", "--to"]
        self.assertIn("file:///", self.run_failing(*make, "relative/path"))
        self.assertIn("roll.never", self.run_failing(*make, target, "-c", "roll.never=1"))
        self.assertIn("nowhere", self.run_failing("dump", "create", "x", "--topic", "nowhere",
                                                  "--to", target, "--format", "json"))
        for verb in ("describe", "pause", "resume", "delete"):
            self.assertIn("wrong", self.run_failing("dump", verb, "wrong"))

    def test_pause_publishes_every_record(self):
        topic = self.make_topic("dumped", "-p", "2")
        self.run_ok("produce", topic, stdin=b"".join(b"%d\n" % i for i in range(500)))
        target = self.server.directory / "dumped"
        self.run_ok("dump", "create", "job", "--topic", topic, "--to", f"file://{target}",
                    "--format", "json", "-c", "roll.ms=1000")
        while self.run_json("dump", "describe", "job")["lag_records"] > 0:
            select.select([], [], [], 0.05)
        self.run_ok("dump", "pause", "job")
        described = self.run_json("dump", "describe", "job")
        self.assertEqual((described["state"], described["lag_records"]), ("paused", 0))
        self.assertEqual(described["records_published"], 500)
        lines = [line for file in target.rglob("*.json") for line in file.read_text().splitlines()]
        self.assertEqual(len(lines), 500)


class NothingThereTest(CliTest):
    """Lists that are empty say so, and are still lists for machines."""

    def test_every_list_of_nothing_says_why(self):
        for command, why in (
            (["topic", "list"], "there are no topics"),
            (["partition", "list"], "there are no partitions"),
            (["dump", "list"], "there are no dump jobs"),
            (["orphan", "list"], "there are no orphans"),
            (["user", "list"], "there are no users"),
        ):
            with self.subTest(command=command):
                status, out, err = talosmq(self.server, *command)
                self.assertEqual((status, out), (0, ""))
                self.assertIn(why, err)
                status, out, err = talosmq(self.server, *command, "-o", "json")
                self.assertEqual((status, out), (0, "[]\n"))
                self.assertIn(why, err)


class OrphanTest(CliTest):
    """Logs that no topic owns are there until somebody deletes them by name."""

    ORPHAN = "01234567-89ab-cdef-0123-456789abcdef"

    def setUp(self):
        self.server.process.send_signal(signal.SIGTERM)
        self.server.process.wait(timeout=60)
        for partition in range(3):
            log = self.server.data / "topics" / self.ORPHAN / str(partition)
            log.mkdir(parents=True, exist_ok=True)
            (log / f"{0:020}.log").write_bytes(b"what was there")
        self.server.start()
        self.addCleanup(shutil.rmtree, self.server.data / "topics" / self.ORPHAN, True)

    def test_log_of_a_topic_is_refused_and_kept(self):
        topic = self.make_topic("owned", "-p", "1")
        self.run_ok("produce", topic, stdin=b"kept\n")
        log = f"{self.run_json('topic', 'describe', topic)['topic_id']}/0"
        self.assertIn("'owned' owns it", self.run_failing("orphan", "delete", log))
        self.assertEqual(self.run_ok("consume", topic, "-e", "-f", "%v"), "kept")

    def test_they_are_listed_and_deleted_one_by_one_in_every_form(self):
        for partition, form in enumerate(("table", "json", "yaml")):
            ids = [f"{self.ORPHAN}/{left}" for left in range(partition, 3)]
            rows = self.run_json("orphan", "list")
            self.assertEqual(rows, [{"id": id, "topic_id": self.ORPHAN, "partition": int(id[-1])}
                                    for id in ids])
            self.assertEqual(yaml.safe_load(self.run_ok("orphan", "list", "-o", "yaml")), rows)
            self.assertIn(ids[0], self.run_ok("orphan", "list"))
            self.assertEqual(self.run_json("cluster", "health")["orphans"], ids)
            out = self.run_ok("orphan", "delete", ids[0], "-o", form)
            if form != "table":
                self.assertEqual(yaml.safe_load(out), {"id": ids[0], "result": "deleted"})
            self.assertIn(f"no log {ids[0]}", self.run_failing("orphan", "delete", ids[0]))
        self.assertEqual(self.run_json("orphan", "list"), [])
        self.assertFalse((self.server.data / "topics" / self.ORPHAN).exists())


class CompletionTest(CliTest):
    """What a shell proposes, asked of a real bash."""

    def proposed(self, *words, server=None):
        script = self.run_ok("completion", "bash")
        program = BIN / "talosmq"
        asked = " ".join(f"'{word}'" for word in words)
        script += f"COMP_LINE='{program} {' '.join(words)}'\n"
        script += f"COMP_WORDS=({program} {asked}); COMP_CWORD={len(words)}; _talosmq\n"
        script += 'printf "%s\\n" "${COMPREPLY[@]}"\n'
        ended = subprocess.run(["bash", "-c", script], env=environment(server or self.server),
                               capture_output=True, text=True, check=True)
        self.assertEqual(ended.stderr, "")
        return ended.stdout.split()

    def test_values_are_proposed_where_there_is_a_choice(self):
        self.assertEqual(self.proposed("topic", "list", "-o", ""), ["table", "json", "yaml"])
        self.assertEqual(self.proposed("--output", "j"), ["json"])
        self.assertEqual(self.proposed("produce", "t", "-z", "z"), ["zstd"])
        self.assertEqual(self.proposed("produce", "t", "--acks", ""), ["all", "leader", "none"])
        self.assertEqual(self.proposed("dump", "create", "--format", ""), ["json", "raw"])
        self.assertEqual(self.proposed("bench", "produce", "--spread", "e"), ["even"])
        # As bash parts words at '=', and as zsh does not.
        self.assertEqual(self.proposed("produce", "t", "--acks", "=", "l"), ["leader"])
        self.assertEqual(self.proposed("produce", "t", "--acks", "="), ["all", "leader", "none"])
        self.assertEqual(self.proposed("produce", "t", "--acks=l"), ["--acks=leader"])
        # A flag takes none.
        self.assertIn("--partition", self.proposed("consume", "t", "-e", "--part"))
        # The shell's own file names are all there is for these.
        self.assertEqual(self.proposed("produce", "t", "-f", ""), [])
        self.assertEqual(self.proposed("topic", "list", "--server", ""), [])

    def test_topics_and_jobs_are_proposed_by_name(self):
        self.make_topic("completed-one")
        self.make_topic("completed-two")
        self.run_ok("dump", "create", "completed-job", "--topic", "completed-one", "--to",
                    f"file://{self.server.directory}/completed", "--format", "raw")
        both = ["completed-one", "completed-two"]
        for words in (["consume", "comp"], ["produce", "-z", "zstd", "comp"], ["partition", "list", "c"],
                      ["topic", "describe", "completed"], ["dump", "create", "x", "--topic", "c"]):
            with self.subTest(words=words):
                self.assertEqual(self.proposed(*words), both)
        self.assertEqual(self.proposed("dump", "pause", ""), ["completed-job"])
        named = ["--server", self.server.address, "topic", "delete", "completed-t"]
        nobody = types.SimpleNamespace(address="127.0.0.1:1")
        self.assertEqual(self.proposed(*named, server=nobody), ["completed-two"])
        # A new topic has no name to propose.
        self.assertEqual(self.proposed("topic", "create", "comp"), [])

    def test_no_server_proposes_nothing_and_soon(self):
        with SilentServer() as silent:
            began = time.monotonic()
            self.assertEqual(self.proposed("consume", "x", server=silent), [])
            self.assertLess(time.monotonic() - began, 10)

    def test_commands_and_flags_are_proposed(self):
        self.assertEqual(self.proposed("top"), ["topic"])
        self.assertEqual(self.proposed("topic", "de"), ["describe", "delete"])
        self.assertIn("--partitions", self.proposed("topic", "create", "--"))
        self.assertEqual(self.proposed("topic", "--ser"), ["--server"])
        self.assertEqual(self.proposed("topic", "create", "produce", "--tls-k"), ["--tls-key"])

    def test_what_is_no_command_is_left_to_the_shell(self):
        self.assertEqual(self.proposed("topic", "describe", "my-top"), [])

    def test_every_command_of_the_help_is_known(self):
        for group in ("topic", "dump", "cluster", "broker", "partition", "orphan", "user", "log", "bench",
                      "completion"):
            listed = re.findall(r"^  ([a-z-]+) +[A-Z]", self.run_ok(group, "--help"), re.MULTILINE)
            self.assertTrue(listed, group)
            self.assertLessEqual(set(listed), set(self.proposed(group, "")))

    def test_zsh_gets_the_same(self):
        zsh = self.run_ok("completion", "zsh")
        self.assertTrue(zsh.startswith("#compdef talosmq\n"))
        self.assertTrue(zsh.endswith(self.run_ok("completion", "bash")))


class OtherTest(CliTest):
    def test_server_that_cannot_be_an_address_is_wrong_usage(self):
        err = self.run_failing("--server", "nonsense", "topic", "list", expected=2)
        self.assertIn("HOST:PORT", err)

    def test_server_in_the_config_file(self):
        config = self.server.directory / "config.yaml"
        config.write_text(f"server: {self.server.address}\noutput: json\n")
        status, out, err = talosmq(None, "cluster", "describe", variables={"TALOSMQ_CONFIG": str(config)})
        self.assertEqual(status, 0, err)
        self.assertEqual(json.loads(out)["brokers"][0]["address"], self.server.address)

    def test_server_that_is_not_there_is_told_by_its_address(self):
        for command in (["topic", "list"], ["produce", "t"], ["consume", "t"], ["dump", "list"],
                        ["cluster", "health"], ["bench", "produce"]):
            with self.subTest(command=command):
                err = self.run_failing("--server", "127.0.0.1:1", *command)
                self.assertIn("127.0.0.1:1", err)
                self.assertIn("talosmqd", err)

    def test_directory_without_logs_is_told(self):
        self.assertIn("/nowhere", self.run_failing("log", "verify", "/nowhere"))

    def test_damage_is_found(self):
        topic = self.make_topic("damaged", "-p", "1")
        self.run_ok("produce", topic, stdin=b"a value that is to be broken\n")
        topic_id = self.run_json("topic", "describe", topic)["topic_id"]
        self.server.process.send_signal(signal.SIGTERM)
        self.server.process.wait(timeout=60)
        segment = next((self.server.data / "topics" / topic_id / "0").glob("*.log"))
        content = bytearray(segment.read_bytes())
        content[80] ^= 1
        original = segment.read_bytes()
        segment.write_bytes(content)
        try:
            status, out, _ = talosmq(None, "log", "verify", self.server.data, "-o", "json")
            self.assertEqual(status, 1)
            self.assertGreater(json.loads(out)["damaged"], 0)
        finally:
            segment.write_bytes(original)
            self.server.start()


if __name__ == "__main__":
    unittest.main(verbosity=2)
