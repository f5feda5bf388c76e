"""What tests of one server share: the server, and the command line against it."""

import json
import unittest

from talosmq_process import Server, talosmq


class ServerTest(unittest.TestCase):
    """A server for all tests of the class."""

    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.settings)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def run_ok(self, *arguments, stdin=b""):
        status, out, err = talosmq(self.server, *arguments, stdin=stdin)
        self.assertEqual(status, 0, f"{arguments}: {err}")
        return out

    def run_json(self, *arguments, stdin=b""):
        return json.loads(self.run_ok(*arguments, "-o", "json", stdin=stdin))
