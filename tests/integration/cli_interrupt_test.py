"""The command line when it is cut short: Ctrl-C at any moment, a reader that goes, a full disk."""

import contextlib
import json
import re
import select
import signal
import socket
import subprocess
import threading
import time
import unittest

from server_fixture import ServerTest
from talosmq_process import BIN, environment, start_talosmq, talosmq

# What ends at once may take this long on a loaded machine, and less than any timeout of ours.
AT_ONCE_SECONDS = 20


def end(process, sent=signal.SIGINT):
    """Interrupts; status, standard output and standard error. Input and output may be open."""
    process.send_signal(sent)
    out, err = b"", b""
    with contextlib.suppress(ValueError):
        out = process.stdout.read()
    err = process.stderr.read()
    status = process.wait(timeout=60)
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
    return status, out, err.decode()


class SilentServer:
    """Takes connections, greets as HTTP/2 asks and then says nothing."""

    GREETING = b"\0\0\0\4\0\0\0\0\0"  # An empty SETTINGS frame.

    def __init__(self, greeting=GREETING):
        self.greeting = greeting
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.greeted = threading.Semaphore(0)
        self.connections = []
        self.thread = threading.Thread(target=self.take_connections)
        self.thread.start()

    def take_connections(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections.append(connection)
                connection.sendall(self.greeting)
                self.greeted.release()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for connection in self.connections:
            connection.close()


@contextlib.contextmanager
def stopped(server):
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


class CutShortTest(ServerTest):
    def make_topic(self, name, *lines):
        self.run_ok("topic", "create", name, "-p", "1")
        if lines:
            self.run_ok("produce", name, stdin=b"".join(line + b"\n" for line in lines))
        return name

    def next_offset(self, err):
        told = re.search(r"next offsets: partition 0: (\d+)", err)
        self.assertIsNotNone(told, err)
        return int(told[1])

    def assert_soon(self, began):
        self.assertLess(time.monotonic() - began, AT_ONCE_SECONDS)


class InterruptTest(CutShortTest):
    def test_big_lines_to_a_slow_reader_stay_whole(self):
        lines = [b"%d" % i * (1 << 20) for i in range(8)]
        topic = self.make_topic("big-lines", *lines)
        for form in ("table", "json"):
            with self.subTest(form=form):
                process = start_talosmq(self.server, "consume", topic, "-o", form, bufsize=0)
                head = process.stdout.read(1000)  # It is in the middle of the first line.
                status, rest, err = end(process)
                self.assertEqual(status, 0, err)
                printed = (head + rest).splitlines()
                self.assertTrue((head + rest).endswith(b"\n"))
                values = [json.loads(p)["value"].encode() for p in printed] if form == "json" else printed
                self.assertEqual(values, lines[: self.next_offset(err)])

    def test_sigterm_while_nothing_comes_tells_the_next_offset(self):
        topic = self.make_topic("terminated", b"a", b"b")
        process = start_talosmq(self.server, "consume", topic, bufsize=0)
        self.assertEqual(process.stdout.read(4), b"a\nb\n")
        status, out, err = end(process, signal.SIGTERM)
        self.assertEqual((status, out, self.next_offset(err)), (0, b"", 2))

    def test_consume_of_a_server_that_hangs_ends_with_the_next_offset(self):
        topic = self.make_topic("hanging", b"a")
        process = start_talosmq(self.server, "consume", topic, bufsize=0)
        self.assertEqual(process.stdout.read(2), b"a\n")
        began = time.monotonic()
        with stopped(self.server):
            status, out, err = end(process)
        self.assert_soon(began)
        self.assertEqual((status, out, self.next_offset(err)), (0, b"", 1))

    def test_whatever_waits_for_a_server_that_says_nothing_ends(self):
        commands = (["topic", "list"], ["consume", "t"], ["produce", "t"], ["bench", "latency"],
                    ["dump", "watch", "j"], ["cluster", "health"])
        with SilentServer() as silent:
            started = [start_talosmq(None, *c, "--server", silent.address) for c in commands]
            for _ in commands:
                silent.greeted.acquire()
            began = time.monotonic()
            for command, process in zip(commands, started):
                with self.subTest(command=command):
                    status, out, err = end(process)
                    self.assertEqual((status, out), (1, b""), err)
                    self.assertIn(silent.address, err)
                    self.assertIn("interrupted", err)
            self.assert_soon(began)

    def test_produce_to_a_server_that_hangs_tells_what_may_be_stored(self):
        topic = self.make_topic("unanswered")
        process = start_talosmq(self.server, "produce", topic, "-o", "json")
        process.stdin.write(b"one\n")
        process.stdin.flush()
        self.assertEqual(json.loads(process.stdout.readline())["count"], 1)
        began = time.monotonic()
        with stopped(self.server):
            # More than a pipe holds: when it is written, most of it has been read.
            process.stdin.write((b"x" * 1023 + b"\n") * 1024)
            process.stdin.flush()
            status, out, err = end(process)
        self.assert_soon(began)
        self.assertEqual((status, out), (1, b""), err)
        told = re.search(r"1 records are acknowledged, (\d+) are not; of these (\d+) may be stored", err)
        self.assertIsNotNone(told, err)
        self.assertEqual(told[1], told[2])
        self.assertGreater(int(told[1]), 900)

    def test_a_second_interrupt_ends_at_once(self):
        topic = self.make_topic("impatient", b"x" * (1 << 20))
        process = start_talosmq(self.server, "consume", topic, bufsize=0)
        process.stdout.read(1)  # Nobody reads more: it waits in the middle of the line.
        while process.poll() is None:  # Signals that come too close together count as one.
            process.send_signal(signal.SIGINT)
            select.select([], [], [], 0.05)
        self.assertEqual(process.returncode, -signal.SIGINT)
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()

    def test_interrupted_bench_leaves_no_topic(self):
        process = start_talosmq(self.server, "bench", "produce", "--records", "1000000000")
        def benches():
            topics = json.loads(self.run_ok("topic", "list", "-o", "json"))
            return [t["state"] for t in topics if t["topic"].startswith("bench-")]
        while "active" not in benches():
            self.assertIsNone(process.poll())
        status, out, err = end(process)
        self.assertEqual((status, out), (1, b""), err)
        self.assertIn("interrupted", err)
        self.assertNotIn("active", benches())

    def test_dump_watch_streams_until_it_is_interrupted(self):
        topic = self.make_topic("watched", b"a", b"b")
        target = f"file://{self.server.directory}/watched"
        self.run_ok("dump", "create", "watched", "--topic", topic, "--to", target, "--format", "raw",
                    "-c", "roll.ms=1000")
        process = start_talosmq(self.server, "dump", "watch", "watched", "-o", "json")
        seen = {"records_published": 0}
        while seen["records_published"] < 2:
            seen = json.loads(process.stdout.readline())
            self.assertIn("time", seen)
        status, out, err = end(process)
        self.assertEqual((status, err), (0, ""))
        for line in out.splitlines():
            json.loads(line)
        plain = start_talosmq(self.server, "dump", "watch", "watched")
        self.assertIn(b"running  lag 0 records", plain.stdout.readline())
        self.assertEqual(end(plain)[0], 0)
        self.run_ok("dump", "delete", "watched")
        status, _, err = talosmq(self.server, "dump", "watch", "watched")
        self.assertEqual(status, 1)
        self.assertIn("watched", err)


class OutputTest(CutShortTest):
    """Standard output that takes nothing any more."""

    def run_into(self, path, *arguments, stdin=b""):
        with open(path, "wb") as out:
            ended = subprocess.run([str(BIN / "talosmq"), *arguments], env=environment(self.server),
                                   input=stdin, stdout=out, stderr=subprocess.PIPE, timeout=60)
        return ended.returncode, ended.stderr.decode()

    def test_a_full_disk_is_a_failure(self):
        topic = self.make_topic("full", b"a", b"b")
        for command in (["topic", "list"], ["topic", "describe", topic, "-o", "yaml"], ["--help"],
                        ["--version"], ["completion", "bash"], ["consume", topic, "-e"]):
            with self.subTest(command=command):
                status, err = self.run_into("/dev/full", *command)
                self.assertEqual(status, 1, err)
                self.assertIn("No space left", err)
        _, err = self.run_into("/dev/full", "consume", topic, "-e")
        self.assertEqual(self.next_offset(err), 0)  # Nothing was written, so nothing is done.

    def test_acknowledgements_that_cannot_be_told_are_a_failure(self):
        topic = self.make_topic("full-produce")
        status, err = self.run_into("/dev/full", "produce", topic, "-o", "json", stdin=b"a\nb\n")
        self.assertEqual(status, 1, err)
        self.assertIn("No space left", err)
        self.assertEqual(self.run_ok("consume", topic, "-e"), "a\nb\n")

    def test_a_reader_that_has_gone_is_no_failure(self):
        topic = self.make_topic("gone", b"a")
        for command in (["topic", "list"], ["--help"], ["completion", "zsh"],
                        ["consume", topic, "-e"]):
            with self.subTest(command=command):
                process = start_talosmq(self.server, *command)
                process.stdout.close()
                self.assertEqual(process.wait(timeout=60), 0)
                self.assertEqual(process.stderr.read(), b"")
                process.stdin.close()
                process.stderr.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
