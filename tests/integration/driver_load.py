"""Records that a driver sends on and on, so that the server can be killed meanwhile."""

import collections
import json
import threading

from client_driver import Record, line_of

IN_FLIGHT_MAX = 2000
KILLS = 3


class DriverLoad:
    """Gives a driver the numbers 0, 1, ..., in turn to each partition, on a thread of its own.

    The test is a KafkaTest, whose topic has that many partitions.
    """

    def __init__(self, test, driver, codec, partitions):
        self.test = test
        self.partitions = partitions
        self.sent = 0
        self.producer = driver.start("produce", test.address, test.topic, codec)
        self.is_ending = threading.Event()
        self.thread = threading.Thread(target=self.send)
        self.thread.start()
        test.addCleanup(self.thread.join)
        test.addCleanup(self.is_ending.set)
        test.addCleanup(self.producer.kill)  # First: the thread may be waiting for it to read.

    def send(self):
        while not self.is_ending.wait(0.002):
            if self.sent - len(self.producer.lines) < IN_FLIGHT_MAX:
                number = self.sent
                self.sent += 1
                self.producer.tell(line_of(Record(b"k", b"%d" % number, (), number % self.partitions)))

    def kill_server_again_and_again(self):
        for _ in range(KILLS):
            self.wait_for_acknowledged(500)
            self.test.server.process.kill()
            self.test.server.process.wait()
            self.test.server.start((f"kafka.listen={self.test.address}",))
        self.wait_for_acknowledged(1)

    def wait_for_acknowledged(self, count):
        before = len(self.producer.lines)
        self.test.wait_until(lambda: len(self.producer.lines) >= before + count,
                             f"nothing is acknowledged: {self.producer.said()}")

    def end(self):
        """The driver's status is that of a driver whose records were all acknowledged."""
        self.is_ending.set()
        self.thread.join()
        self.test.assertEqual(self.producer.wait(), 0, self.producer.said())

    def assert_stored(self):
        """Each number once, in order in its partition, where its acknowledgement says."""
        acknowledged = list(map(json.loads, self.producer.lines))
        self.test.assertEqual(sorted(answer["index"] for answer in acknowledged), list(range(self.sent)))
        stored = collections.defaultdict(list)
        places = {}
        for line in self.test.consumed_by_grpc("%p %o %v"):
            partition, offset, number = map(int, line.split())
            stored[partition].append(number)
            places[number] = (partition, offset)
        for partition in range(self.partitions):
            self.test.assertEqual(stored[partition], list(range(partition, self.sent, self.partitions)))
        self.test.assertEqual({a["index"]: (a["partition"], a["offset"]) for a in acknowledged}, places)
