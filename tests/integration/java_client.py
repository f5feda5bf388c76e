"""The programs of clients/java in the versions of Kafka's client that are tested."""

import json
import select
import time

from client_driver import ClientDriver, LineProcess
from foreign_clients import JAVA, java_classpath

CALL_SECONDS = 30  # Half of what the client waits for an answer that does not come.
VERSIONS = ("3.9.2", "4.4.0")


def classpath(version):
    return java_classpath("java", f"kafka.version={version}", variant=f"-{version}")


def driver_command(version):
    return [*JAVA, "-cp", classpath(version), "talosmq.Driver"]


class Member(LineProcess):
    """A member of a group; `owned` and `moved` are what it has and how much was taken from it."""

    def told(self, what):
        return [line[what] for line in map(json.loads, list(self.lines)) if what in line]

    @property
    def owned(self):
        owned = set()
        for line in map(json.loads, list(self.lines)):
            owned |= set(line.get("assigned", ()))
            owned -= set(line.get("revoked", ()))
        return owned

    @property
    def moved(self):
        return sum(map(len, self.told("revoked")))

    @property
    def read(self):
        """Partition and offset of each record, in the order of reading."""
        return [tuple(place) for places in self.told("read") for place in places]


class Operator(LineProcess):
    """Makes the calls of an administrator."""

    def answer(self, name, asked):
        count = len(self.lines)
        self.tell(json.dumps({"call": name} | asked) + "\n")
        deadline = time.monotonic() + CALL_SECONDS
        while len(self.lines) == count:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{name} {asked} is not answered: {self.said()}")
            select.select([], [], [], 0.01)
        return json.loads(self.lines[count])

    def call(self, name, **asked):
        answer = self.answer(name, asked)
        assert "result" in answer, f"{name} {asked}: {answer}"
        return answer["result"]

    def refusal(self, name, **asked):
        """The name of the exception."""
        answer = self.answer(name, asked)
        assert "error" in answer, f"{name} {asked}: {answer}"
        return answer["error"]


class JavaClient:
    """What tests of one version are made of, beside a KafkaTest; the subclass gives `version`."""

    version = None

    @classmethod
    def setUpClass(cls):
        cls.classpath = classpath(cls.version)
        super().setUpClass()

    @classmethod
    def program(cls, name):
        return [*JAVA, "-cp", cls.classpath, f"talosmq.{name}"]

    def driver(self, *settings):
        return ClientDriver(self, self.program("Driver"), settings)

    def member(self, group, *settings, topic=None):
        member = Member([*self.program("Member"), self.address, topic or self.topic, group, *settings])
        self.addCleanup(member.kill)
        return member
