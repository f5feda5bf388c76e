"""Reads docker/Dockerfile: its instructions in order, and what is in force for the last stage."""

import json
import shlex

import debian

PATH = debian.ROOT / "docker/Dockerfile"


def instructions():
    """(instruction, arguments) of each, comments left out and lines continued."""
    text = "\n".join(line for line in PATH.read_text().splitlines() if not line.lstrip().startswith("#"))
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def last_stage():
    found = instructions()
    begin = max(index for index, (name, _) in enumerate(found) if name == "FROM")
    return found[begin:]


def argument_of(wanted):
    """The arguments of an instruction that the last stage has once."""
    found = [arguments for name, arguments in last_stage() if name == wanted]
    assert len(found) == 1, f"{wanted}: expected one, found {found}"
    return found[0]


def exec_form(wanted):
    """The words of ENTRYPOINT, CMD or the command of HEALTHCHECK."""
    arguments = argument_of(wanted)
    return json.loads(arguments[arguments.index("["):])


def variables():
    return dict(word.split("=", 1) for name, arguments in last_stage() if name == "ENV" for word in shlex.split(arguments))
