"""The command line and servers that are dead, say nothing, go and come back."""

import json
import os
import signal
import time
import unittest

from cli_interrupt_test import SilentServer, end
from talosmq_process import BIN, Server, start_talosmq, talosmq

NOBODY = "127.0.0.1:1"
LOST = "the connection is lost"
BACK = "the connection is back"


def loopback_address(last):
    """One that this test has for itself, so that a port on it stays free while its server is dead."""
    process = os.getpid()
    return f"127.{1 + process // 250 % 250}.{1 + process % 250}.{last}"


class ServerListTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        talosmq(cls.server, "topic", "create", "t", "-p", "1")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def check_round_trip(self, servers, value):
        status, _, err = talosmq(None, "--server", servers, "produce", "t", stdin=value + b"\n")
        self.assertEqual(status, 0, err)
        status, out, err = talosmq(None, "--server", servers, "consume", "t", "-O", "-1", "-e")
        self.assertEqual((status, out.encode(), err), (0, value + b"\n", ""))

    def test_a_connection_that_grpc_gives_up_for_another_errno_is_tried_again(self):
        preload = {"LD_PRELOAD": str(BIN / "libtalosmq_stray_errno.so")}
        process = start_talosmq(self.server, "topic", "list", variables=preload)
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, err), (0, b""))
        self.assertIn(b"t", out)

    def test_a_dead_first_server_is_passed_over(self):
        began = time.monotonic()
        self.check_round_trip(f"{NOBODY},{self.server.address}", b"past the dead")
        self.assertLess(time.monotonic() - began, 10)

    def test_a_silent_first_server_is_passed_over_after_five_seconds(self):
        for greeting in (SilentServer.GREETING, b""):
            with self.subTest(greeting=greeting), SilentServer(greeting) as silent:
                began = time.monotonic()
                self.check_round_trip(f"{silent.address},{self.server.address}", b"past the silent")
                # Both commands meet it once; who does not even greet is left sooner.
                self.assertLess(time.monotonic() - began, 2 * 5 + 10)

    def test_no_server_at_all_is_told_soon_with_every_address(self):
        for command in (["topic", "list"], ["consume", "t"], ["produce", "t"], ["broker", "list"],
                        ["orphan", "list"], ["orphan", "delete", "01234567-89ab-cdef-0123-456789abcdef/0"],
                        ["partition", "list"], ["dump", "watch", "j"]):
            with self.subTest(command=command):
                began = time.monotonic()
                status, out, err = talosmq(None, "--server", f"{NOBODY},127.0.0.1:2", *command)
                self.assertLess(time.monotonic() - began, 10)
                self.assertEqual((status, out), (1, ""))
                self.assertIn(NOBODY, err)
                self.assertIn("127.0.0.1:2", err)
                self.assertNotIn(LOST, err)


class AwayTest(unittest.TestCase):
    """A server that is killed under a running command and comes back."""

    def setUp(self):
        self.server = Server(listen=loopback_address(1) + ":0")
        talosmq(self.server, "topic", "create", "t", "-p", "1")

    def tearDown(self):
        self.server.stop()

    def produce(self, line):
        status, _, err = talosmq(self.server, "produce", "t", stdin=line + b"\n")
        self.assertEqual(status, 0, err)

    def kill(self):
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait(timeout=60)

    def come_back(self, listen=None):
        self.server.listen = listen or self.server.address
        self.server.start()

    def check_consume(self, servers, comes_back_at=None, form="table"):
        self.produce(b"before")
        process = start_talosmq(None, "--server", servers, "consume", "t", "-o", form, bufsize=0)
        value = (lambda line: json.loads(line)["value"]) if form == "json" else (lambda line: line.decode().rstrip())
        self.assertEqual(value(process.stdout.readline()), "before")
        self.kill()
        self.assertIn(LOST, process.stderr.readline().decode())
        self.come_back(comes_back_at)
        self.assertIn(BACK, process.stderr.readline().decode())
        self.produce(b"after")
        self.assertEqual(value(process.stdout.readline()), "after")
        status, out, err = end(process)
        self.assertEqual((status, out), (0, b""), err)
        self.assertEqual(len(err.splitlines()), 1, err)  # All was told once.
        self.assertIn("next offsets: partition 0: 2", err)

    def test_consume_tells_the_loss_once_and_goes_on(self):
        self.check_consume(self.server.address, form="json")

    def test_consume_goes_on_with_another_server_of_its_list(self):
        port = self.server.address.rsplit(":", 1)[1]
        elsewhere = f"{loopback_address(2)}:{port}"
        self.check_consume(f"{self.server.address},{elsewhere}", comes_back_at=elsewhere)

    def test_produce_goes_on_with_another_server_of_its_list(self):
        port = self.server.address.rsplit(":", 1)[1]
        elsewhere = f"{loopback_address(2)}:{port}"
        servers = f"{self.server.address},{elsewhere}"
        process = start_talosmq(None, "--server", servers, "produce", "t", "-o", "json", bufsize=0)
        process.stdin.write(b"before\n")
        self.assertEqual(json.loads(process.stdout.readline())["first_offset"], 0)
        self.kill()
        process.stdin.write(b"meanwhile\n")
        self.assertIn(LOST, process.stderr.readline().decode())
        self.come_back(elsewhere)
        self.assertIn(BACK, process.stderr.readline().decode())
        self.assertEqual(json.loads(process.stdout.readline())["first_offset"], 1)
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out), (0, b""), err)
        self.assertIn("acknowledged: 2 records", err.decode())
        self.assertNotIn(LOST, err.decode())

    def test_interrupts_while_no_server_is_there_tell_how_far_it_came(self):
        self.produce(b"before")
        consume = start_talosmq(self.server, "consume", "t", bufsize=0)
        self.assertEqual(consume.stdout.readline(), b"before\n")
        produce = start_talosmq(self.server, "produce", "t", "-o", "json", bufsize=0)
        produce.stdin.write(b"one\n")
        self.assertEqual(json.loads(produce.stdout.readline())["first_offset"], 1)
        self.assertEqual(consume.stdout.readline(), b"one\n")
        self.kill()
        self.assertIn(LOST, consume.stderr.readline().decode())
        produce.stdin.write(b"two\n")
        self.assertIn(LOST, produce.stderr.readline().decode())  # So it has read the line.
        status, out, err = end(consume)
        self.assertEqual((status, out), (0, b""), err)
        self.assertIn("next offsets: partition 0: 2", err)
        status, out, err = end(produce)
        self.assertEqual((status, out), (1, b""), err)
        self.assertIn("1 records are acknowledged, 1 are not; of these 1 may be stored", err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
