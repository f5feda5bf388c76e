"""Installs kafkajs and puts its programs of kafkajs/ beside it."""

import atexit
import os
import pathlib
import shutil
import subprocess
import tempfile

SOURCES = pathlib.Path(__file__).resolve().parent / "kafkajs"
INSTALL_SECONDS = 600
HEADERS = pathlib.Path("/usr/include/node")


def install():
    """A folder with the programs and what they need, exactly as package-lock.json has it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="talosmq-kafkajs."))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in ("package.json", "package-lock.json", "client.js", "codecs.js", "driver.js"):
        shutil.copy(SOURCES / name, folder)
    # lz4 is compiled, against the machine's own headers where there are any.
    environment = os.environ | ({"npm_config_nodedir": "/usr"} if HEADERS.exists() else {})
    for command in (["ci", "--ignore-scripts", "--no-audit", "--no-fund"], ["rebuild", "lz4", "--foreground-scripts"]):
        done = subprocess.run(["npm", *command], cwd=folder, env=environment, capture_output=True, text=True,
                              timeout=INSTALL_SECONDS)
        if done.returncode != 0:
            raise RuntimeError(f"npm {' '.join(command)}:\n{done.stdout}\n{done.stderr}")
    return folder
