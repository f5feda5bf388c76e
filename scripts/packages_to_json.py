#!/usr/bin/env python3
"""Turns the Debian package index into JSON lines.

Reads stanzas as `apt-cache dumpavail` prints them from standard input and writes one JSON object a
package to standard output, with the fields in their order and lower-case names; a field of several
lines keeps its newlines. Fails when the objects are not as many as the stanzas.
"""

import json
import sys


def stanzas(lines):
    """The paragraphs of the input, as lists of lines."""
    stanza = []
    for line in lines:
        line = line.rstrip("\n")
        if line:
            stanza.append(line)
        elif stanza:
            yield stanza
            stanza = []
    if stanza:
        yield stanza


def fields(stanza):
    """The fields of one stanza; a line that begins with a blank continues the one before."""
    package = {}
    name = None
    for line in stanza:
        if line[0] in " \t":
            if name is None:
                raise ValueError(f"a stanza begins with a continuation: {line!r}")
            package[name] += "\n" + line[1:]
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"no field: {line!r}")
        name = name.lower()
        package[name] = value.strip()
    return package


def main():
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    sys.stdout.reconfigure(encoding="utf-8")
    found = written = 0
    for stanza in stanzas(sys.stdin):
        found += any(line.startswith("Package:") for line in stanza)
        print(json.dumps(fields(stanza), ensure_ascii=False))
        written += 1
    if found != written:
        sys.exit(f"packages_to_json: {found} packages, but {written} objects")


if __name__ == "__main__":
    main()
