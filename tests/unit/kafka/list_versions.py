#!/usr/bin/env python3
"""Prints what the codec knows as MakeGolden.java wants it: one line "API MIN-MAX" for each."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "src" / "kafka" / "protocol"))
import message_tables

for api in message_tables.read_all():
    print(f"{api.name} {api.versions[0]}-{api.versions[-1]}")
