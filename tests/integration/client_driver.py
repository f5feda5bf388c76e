"""The drivers of clients/: one command line for every client, and lines of JSON for its records.

    DRIVER produce BOOTSTRAP TOPIC CODEC       records from its input; where each of them went
    DRIVER consume BOOTSTRAP TOPIC COUNT       records from the starts of all partitions
    DRIVER group BOOTSTRAP TOPIC GROUP COUNT   the same as a member that commits
    DRIVER member BOOTSTRAP TOPIC GROUP        the same until its input ends, whatever becomes of the server
    DRIVER transaction BOOTSTRAP               the error that a transactional id gets

Then KEY=VALUE, settings in the client's own terms. Not every driver has the last three commands.
"""

import base64
import collections
import contextlib
import json
import subprocess
import threading

DRIVER_SECONDS = 120

Record = collections.namedtuple("Record", "key value headers partition offset", defaults=((), 0, None))


def encoded(data):
    return None if data is None else base64.b64encode(data).decode()


def decoded(text):
    return None if text is None else base64.b64decode(text)


def line_of(record):
    """What a driver takes; the offset is not for it to say."""
    headers = [[name, encoded(value)] for name, value in record.headers]
    return json.dumps({"partition": record.partition, "key": encoded(record.key), "value": encoded(record.value),
                       "headers": headers}) + "\n"


def record_of(line):
    read = json.loads(line)
    headers = tuple((name, decoded(value)) for name, value in read["headers"])
    return Record(decoded(read["key"]), decoded(read["value"]), headers, read["partition"], read["offset"])


class LineProcess:
    """A process whose lines are read on threads of their own, so that it never waits for us; kill() ends it."""

    def __init__(self, command):
        self.lines = []
        self.errors = []
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.threads = [threading.Thread(target=self.collect, args=place) for place in
                        ((self.process.stdout, self.lines), (self.process.stderr, self.errors))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def collect(stream, lines):
        for line in stream:
            lines.append(line)

    def tell(self, line):
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def wait(self, seconds=DRIVER_SECONDS):
        """Ends its input and waits for its end; the status."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(timeout=seconds)
        for thread in self.threads:
            thread.join()
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()
        for thread in self.threads:
            thread.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def said(self):
        return "".join(self.errors)


class ClientDriver:
    """Runs a driver, a command without its arguments, against a server."""

    def __init__(self, test, command, settings=()):
        self.test = test
        self.command = list(command)
        self.settings = list(settings)

    def start(self, *arguments):
        process = LineProcess([*self.command, *arguments, *self.settings])
        self.test.addCleanup(process.kill)
        return process

    def run(self, *arguments, stdin=""):
        """The status, the lines of its output as they are, and what it said on standard error."""
        done = subprocess.run([*self.command, *map(str, arguments), *self.settings], input=stdin, capture_output=True,
                              text=True, timeout=DRIVER_SECONDS)
        return done.returncode, done.stdout.splitlines(), done.stderr

    def run_ok(self, *arguments, stdin=""):
        status, lines, said = self.run(*arguments, stdin=stdin)
        self.test.assertEqual(status, 0, f"{arguments}: {said[-3000:]}")
        return lines

    def produce(self, topic, records, codec="none", *settings, address=None):
        """The records with the offsets that they were acknowledged under, in the order of `records`."""
        lines = self.run_ok("produce", address or self.test.address, topic, codec, *settings,
                            stdin="".join(map(line_of, records)))
        told = {answer["index"]: answer for answer in map(json.loads, lines)}
        self.test.assertEqual(sorted(told), list(range(len(records))), "one answer for each record")
        self.test.assertEqual([told[i]["partition"] for i in told], [records[i].partition for i in told])
        return [record._replace(offset=told[i]["offset"]) for i, record in enumerate(records)]

    def consume(self, topic, count, *settings, address=None):
        return list(map(record_of, self.run_ok("consume", address or self.test.address, topic, count, *settings)))

    def group(self, topic, group, count, *settings):
        return list(map(record_of, self.run_ok("group", self.test.address, topic, group, count, *settings)))

    def transaction(self, *settings):
        """The name of the error that a transactional id gets."""
        line, = self.run_ok("transaction", self.test.address, *settings)
        return json.loads(line)["error"]
