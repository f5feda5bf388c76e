"""Plays systemd: starts the server as its unit says, and hears what it tells through NOTIFY_SOCKET."""

import configparser
import json
import os
import select
import shlex
import signal
import socket
import subprocess

PATIENCE_SECONDS = 60
DATA = "/var/lib/talosmq"


class NotifySocket:
    """Bound to a path inside `root`, or, for "@NAME", to an abstract name."""

    def __init__(self, root, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if address.startswith("@"):
            self.socket.bind("\0" + address[1:])
            return
        # The path of the directory may be longer than the address of a socket can be.
        directory = os.open(root / os.path.dirname(address).lstrip("/"), os.O_PATH)
        place = f"/proc/self/fd/{directory}/{os.path.basename(address)}"
        if os.path.exists(place):
            os.unlink(place)
        self.socket.bind(place)
        os.chmod(place, 0o666)
        os.close(directory)

    def next(self, process):
        """The fields of the next message; None when the process ended without one."""
        ended = os.pidfd_open(process.pid)
        try:
            ready, _, _ = select.select([self.socket, ended], [], [], PATIENCE_SECONDS)
        finally:
            os.close(ended)
        if self.socket in ready:
            lines = self.socket.recv(65536).decode().splitlines()
            return dict(line.split("=", 1) for line in lines)
        assert ready, f"nothing was told within {PATIENCE_SECONDS} s"
        return None


class Server:
    """A talosmqd in a Debian, as a user of its own and with nothing of this test's environment. It ends with
    this process, also when that is killed."""

    def __init__(self, debian, user, command, environment, umask=0o022):
        self.debian = debian
        self.log_path = debian.path("/var/log/talosmqd.log")
        self.log_path.write_bytes(b"")
        as_user = ["setpriv", "--pdeathsig", "KILL", "--reuid", user, "--regid", user, "--init-groups",
                   "--no-new-privs", "--bounding-set", "-all", "--"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(debian.command(*as_user, *command), env=debian.environment(**environment),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, umask=umask)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def address(self):
        return json.loads(self.debian.path(f"{DATA}/listeners.json").read_text())["grpc"]

    def talosmq(self, *arguments, stdin=""):
        """What one command of the command line prints."""
        ended = subprocess.run(self.debian.command("talosmq", *arguments), input=stdin, capture_output=True, text=True,
                               env=self.debian.environment(TALOSMQ_SERVER=self.address()), check=False)
        assert ended.returncode == 0, f"talosmq {arguments}: {ended.stderr}\n{self.log()}"
        return ended.stdout

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Service(Server):
    """The main process of a unit of systemd with Type=notify."""

    def __init__(self, debian, unit, notify="/run/talosmq-notify"):
        service = read_service(debian.path(unit))
        assert service["Type"] == "notify", service["Type"]
        self.notify = NotifySocket(debian.root, notify)
        variables = dict(word.split("=", 1) for word in shlex.split(service["Environment"]))
        super().__init__(debian, service["User"], shlex.split(service["ExecStart"]),
                         variables | {"NOTIFY_SOCKET": notify}, int(service["UMask"], 8))

    def hear(self):
        return self.notify.next(self.process)

    def kill(self):
        super().kill()
        self.notify.socket.close()


def read_service(path):
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str
    unit.read_string(path.read_text())
    return unit["Service"]
