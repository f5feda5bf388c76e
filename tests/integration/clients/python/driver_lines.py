"""What the drivers in Python share: their command line, and records as lines of JSON."""

import base64
import json
import sys


def encoded(data):
    return None if data is None else base64.b64encode(data).decode()


def decoded(text):
    return None if text is None else base64.b64decode(text)


def write(**line):
    """Flushed at once: whoever reads may kill us or the server next."""
    print(json.dumps(line), flush=True)


def write_record(partition, offset, key, value, headers):
    write(partition=partition, offset=offset, key=encoded(key), value=encoded(value),
          headers=[[name, encoded(data)] for name, data in headers or ()])


def records():
    """Of standard input: partition, key, value and headers of each."""
    for line in sys.stdin:
        read = json.loads(line)
        headers = [(name, decoded(value)) for name, value in read.get("headers", ())]
        yield read.get("partition", 0), decoded(read["key"]), decoded(read["value"]), headers


def run(produce, consume):
    """`produce(bootstrap, topic, codec)` says whether all went well; `consume(bootstrap, topic, count)` prints."""
    command, bootstrap, topic, last = sys.argv[1:]
    if command == "produce":
        sys.exit(0 if produce(bootstrap, topic, last) else 1)
    if command != "consume":
        sys.exit(f"no such command: {command}")
    consume(bootstrap, topic, int(last))
