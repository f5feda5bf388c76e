"""Builds clients in other languages, whose libraries come from their own registries.

Each is a folder under clients/ with the build file of its language. What is made of it lies beside the
server's programs, so that it is fetched and compiled once a build folder.
"""

import contextlib
import fcntl
import os
import pathlib
import subprocess

from talosmq_process import BIN

CLIENTS = pathlib.Path(__file__).resolve().parent / "clients"
BUILT = BIN.parent / "clients"
BUILD_SECONDS = 900
# Programs that live for seconds: compiled quickly rather than well.
JAVA = ("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")


def run_build(command, folder, environment=None):
    done = subprocess.run(command, cwd=folder, env=os.environ | (environment or {}), capture_output=True, text=True,
                          timeout=BUILD_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} in {folder}:\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}")


@contextlib.contextmanager
def maven_alone():
    """Maven's own folder of what it has fetched is not for two at a time."""
    BUILT.mkdir(parents=True, exist_ok=True)
    with open(BUILT / "maven.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_newer(made, folder):
    """Whether the file was made after every file of the folder."""
    return made.exists() and all(path.stat().st_mtime < made.stat().st_mtime for path in folder.rglob("*"))


def java_classpath(name, *properties, variant=""):
    """Compiles the Maven project clients/NAME and returns what `java -cp` takes to run it.

    Its pom.xml has `<directory>${talosmq.build}</directory>`. `properties` go to Maven as -D arguments;
    builds that differ in them have a `variant` each.
    """
    built = BUILT / (name + variant)
    classpath = built / "classpath"
    built.mkdir(parents=True, exist_ok=True)
    with maven_alone():
        if not is_newer(classpath, CLIENTS / name):
            run_build(["mvn", "-q", "-B", f"-Dtalosmq.build={built}", *[f"-D{text}" for text in properties], "compile",
                       "dependency:build-classpath", f"-Dmdep.outputFile={classpath}",
                       "-Dmdep.regenerateFile=true"], CLIENTS / name)
    return f"{built / 'classes'}:{classpath.read_text().strip()}"


def go_program(name):
    """Builds the Go module clients/NAME and returns the program's path."""
    program = BUILT / name
    run_build(["go", "build", "-mod=readonly", "-o", program, "."], CLIENTS / name)
    return program
