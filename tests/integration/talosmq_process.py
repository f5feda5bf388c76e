"""Starts the two programs for tests: a server in a directory of its own, and the command line."""

import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time

BIN = pathlib.Path(os.environ["TALOSMQ_BIN"])
READY_SECONDS = 60


class Server:
    """One talosmqd, on ports of the kernel's choice unless told; directory and process go with stop()."""

    variables = {}  # Of its environment, beside the caller's.

    def __init__(self, settings=(), listen="127.0.0.1:0"):
        self.listen = listen
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="talosmq-test."))
        self.data = self.directory / "data"
        self.process = None
        self.address = None
        self.start(settings)

    def start(self, settings=()):
        command = [str(BIN / "talosmqd"), "--data-dir", str(self.data)]
        command += ["--set", f"grpc.listen={self.listen}", "--set", "http.listen=127.0.0.1:0", "--set", "kafka.listen=127.0.0.1:0"]
        for setting in settings:
            command += ["--set", setting]
        (self.data / "listeners.json").unlink(missing_ok=True)
        log = open(self.directory / "server.log", "ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                        env=os.environ | self.variables)
        log.close()
        self.listeners = self.wait_for_listeners()
        self.address = self.listeners["grpc"]
        self.http = self.listeners["http"]

    def wait_for_listeners(self):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                return json.loads((self.data / "listeners.json").read_text())
            except (FileNotFoundError, json.JSONDecodeError):
                if self.process.poll() is not None:
                    raise RuntimeError(f"the server ended:\n{self.log()}") from None
                select.select([], [], [], 0.02)
        raise RuntimeError(f"the server is not ready after {READY_SECONDS} s:\n{self.log()}")

    def log(self):
        return (self.directory / "server.log").read_text(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=60)
        shutil.rmtree(self.directory, ignore_errors=True)


def environment(server):
    """The caller's, without its own settings of talosmq, and with this server."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("TALOSMQ_")}
    variables["HOME"] = "/nonexistent"
    if server is not None:
        variables["TALOSMQ_SERVER"] = server.address
    return variables


def start_talosmq(server, *arguments, variables=None, bufsize=-1):
    """The command line as a process whose three streams are pipes."""
    return subprocess.Popen(
        [str(BIN / "talosmq"), *map(str, arguments)],
        env=environment(server) | (variables or {}),
        bufsize=bufsize,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def talosmq(server, *arguments, stdin=b"", variables=None, timeout=60):
    """Runs one command to its end: status, standard output and standard error as text."""
    process = start_talosmq(server, *arguments, variables=variables)
    out, err = process.communicate(stdin, timeout=timeout)
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")
