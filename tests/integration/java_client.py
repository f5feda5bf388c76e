"""The programs of clients/java in the versions of Kafka's client that are tested."""

import json

from client_driver import ClientDriver, LineProcess
from foreign_clients import JAVA, java_classpath

VERSIONS = ("3.9.2", "4.4.0")


def classpath(version):
    return java_classpath("java", f"kafka.version={version}", variant=f"-{version}")


def driver_command(version):
    return [*JAVA, "-cp", classpath(version), "talosmq.Driver"]


class Member(LineProcess):
    """A member of a group; `owned` and `moved` are what it has and how much was taken from it."""

    def __init__(self, test, command, topic, group, *settings):
        super().__init__(test, [*command, test.address, topic, group, *settings])

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

    def __init__(self, test, command, *settings):
        super().__init__(test, [*command, test.address, *settings])
        self.test = test

    def answer(self, name, **asked):
        count = len(self.lines)
        self.tell(json.dumps({"call": name} | asked) + "\n")
        self.test.wait_until(lambda: len(self.lines) > count or self.process.poll() is not None, f"{name} is not answered")
        self.test.assertGreater(len(self.lines), count, self.said())
        return json.loads(self.lines[count])

    def call(self, name, **asked):
        answer = self.answer(name, **asked)
        self.test.assertIn("result", answer, f"{name} {asked}: {answer}")
        return answer["result"]

    def refusal(self, name, **asked):
        """The name of the exception."""
        answer = self.answer(name, **asked)
        self.test.assertIn("error", answer, f"{name} {asked}: {answer}")
        return answer["error"]


class JavaClient:
    """What tests of one version are made of, beside a KafkaTest; the subclass gives `version`."""

    version = None

    @classmethod
    def setUpClass(cls):
        cls.classpath = classpath(cls.version)
        super().setUpClass()

    def program(self, name):
        return [*JAVA, "-cp", self.classpath, f"talosmq.{name}"]

    def driver(self, *settings):
        return ClientDriver(self, self.program("Driver"), settings)

    def member(self, group, *settings, topic=None):
        return Member(self, self.program("Member"), topic or self.topic, group, *settings)

    def operator(self, *settings):
        return Operator(self, self.program("Operator"), *settings)
