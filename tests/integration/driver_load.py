"""Records that a client sends on and on, so that the server can be killed meanwhile."""

import collections
import json
import threading

from client_driver import Record, line_of

IN_FLIGHT_MAX = 2000
KILLS = 3


class LineLoad:
    """Gives a producer, a LineProcess, the numbers 0, 1, ... as lines, on a thread of its own.

    The test is a KafkaTest; the subclass knows the producer's lines.
    """

    def __init__(self, test, producer):
        self.test = test
        self.producer = producer
        self.sent = 0
        self.is_ending = threading.Event()
        self.thread = threading.Thread(target=self.send)
        self.thread.start()
        test.addCleanup(self.thread.join)
        test.addCleanup(self.is_ending.set)
        test.addCleanup(self.producer.kill)  # First: the thread may be waiting for it to read.

    def line(self, number):
        raise NotImplementedError

    def acknowledged(self):
        """How many records."""
        raise NotImplementedError

    def send(self):
        while not self.is_ending.wait(0.002):
            if self.sent - self.acknowledged() < IN_FLIGHT_MAX:
                number = self.sent
                self.sent += 1
                self.producer.tell(self.line(number))

    def kill_server_again_and_again(self):
        for _ in range(KILLS):
            self.wait_for_acknowledged(500)
            self.test.server.process.kill()
            self.test.server.process.wait()
            self.test.server.start((f"kafka.listen={self.test.address}",))
        self.wait_for_acknowledged(1)

    def wait_for_acknowledged(self, count):
        before = self.acknowledged()
        self.test.wait_until(lambda: self.acknowledged() >= before + count,
                             f"nothing is acknowledged: {self.producer.said()}")

    def end(self):
        """The producer's status is that of one whose records were all acknowledged."""
        self.is_ending.set()
        self.thread.join()
        status = self.producer.wait()
        refused = [line for line in self.producer.lines if "error" in line]
        self.test.assertEqual(status, 0, f"{self.producer.said()}{refused[:5]}")
        self.test.assertEqual(self.acknowledged(), self.sent)

    def stored(self):
        """The numbers of each partition in their order, as (offset, number)."""
        stored = collections.defaultdict(list)
        for line in self.test.consumed_by_grpc("%p %o %v"):
            partition, offset, number = map(int, line.split())
            stored[partition].append((offset, number))
        return stored


class DriverLoad(LineLoad):
    """A driver gets the numbers in turn for each partition; the topic has so many."""

    def __init__(self, test, driver, codec, partitions):
        self.partitions = partitions
        super().__init__(test, driver.start("produce", test.address, test.topic, codec))

    def line(self, number):
        return line_of(Record(b"k", b"%d" % number, (), number % self.partitions))

    def acknowledged(self):
        return len(self.producer.lines)

    def assert_stored(self):
        """Each number once, in order in its partition, where its acknowledgement says."""
        acknowledged = list(map(json.loads, self.producer.lines))
        self.test.assertEqual(sorted(answer["index"] for answer in acknowledged), list(range(self.sent)))
        stored = self.stored()
        for partition in range(self.partitions):
            self.test.assertEqual([number for _, number in stored[partition]],
                                  list(range(partition, self.sent, self.partitions)))
        places = {number: (partition, offset) for partition in stored for offset, number in stored[partition]}
        self.test.assertEqual({a["index"]: (a["partition"], a["offset"]) for a in acknowledged}, places)
