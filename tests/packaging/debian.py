"""A bare Debian 12 in a directory, and the packages that this build makes."""

import ctypes
import fcntl
import functools
import os
import pathlib
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["TALOSMQ_BUILD"])
RELEASES = ("bookworm", "bookworm-updates", "bookworm-security")
CLONE_NEWNS = 0x00020000


def run(*command, **options):
    """Runs a command to its end and returns what it printed; what failed is told with that."""
    ended = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, errors="replace", check=False, **options)
    if ended.returncode != 0:
        raise AssertionError(f"{command} ended with {ended.returncode}:\n{ended.stdout}")
    return ended.stdout


def package_sources():
    """(site, release, component) of each source of Debian packages that this machine uses."""
    form = "$(SITE) $(RELEASE) $(COMPONENT) $(ORIGIN)"
    lines = run("apt-get", "indextargets", "--format", form, "Created-By: Packages").splitlines()
    sources = [tuple(line.split()[:3]) for line in lines if line.endswith(" Debian")]
    return [source for source in sources if source[1] in RELEASES and source[2] == "main"]


def sources_after_update():
    sources = package_sources()
    if not sources:
        run("apt-get", "update", "-qq")
        sources = package_sources()
    assert sources, "apt knows no source of Debian 12 (apt-get indextargets)"
    return sources


def transport_settings():
    """How apt of this machine reaches its sources: proxies, and what a frozen mirror needs."""
    lines = run("apt-config", "dump").splitlines(keepends=True)
    return [line for line in lines if line.startswith(("Acquire::http", "Acquire::Check-"))]


def base_archive():
    """The archive of a bare Debian, made when it is missing. Tests that run at once wait for the first."""
    folder = BUILD / "packaging"
    folder.mkdir(exist_ok=True)
    archive = folder / "bookworm.tar"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.exists():
            site = next(site for site, release, _ in sources_after_update() if release == "bookworm")
            directory = make_memory_directory()
            run("debootstrap", "--variant=minbase", "bookworm", directory, site)
            run("tar", "-C", directory, "-cf", folder / "bookworm.tar.new", ".")
            remove_memory_directory(directory)
            os.replace(folder / "bookworm.tar.new", archive)
    return archive


def make_memory_directory():
    take_own_mounts()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="talosmq-debian."))
    run("mount", "-t", "tmpfs", "-o", "mode=755,size=2G", "tmpfs", directory)
    return directory


def remove_memory_directory(directory):
    run("umount", "--recursive", directory)
    directory.rmdir()


@functools.cache
def take_own_mounts():
    """From here on what this process mounts ends with it, however it ends."""
    assert os.geteuid() == 0, "a Debian in a directory takes root: debootstrap, chroot, mount"
    assert ctypes.CDLL(None).unshare(CLONE_NEWNS) == 0, "no mount namespace for this process"
    run("mount", "--make-rprivate", "/")


class Debian:
    """A Debian of its own, in memory; gone with close() or with this process."""

    def __init__(self):
        self.root = make_memory_directory()
        run("tar", "-C", self.root, "-xf", base_archive())
        run("mount", "-t", "proc", "proc", self.root / "proc")
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
        lines = [f"deb {site} {release} {component}\n" for site, release, component in sources_after_update()]
        (self.root / "etc/apt/sources.list").write_text("".join(lines))
        (self.root / "etc/apt/apt.conf.d/90host").write_text("".join(transport_settings()))

    def close(self):
        remove_memory_directory(self.root)

    def command(self, *command):
        return ["chroot", str(self.root), *(str(part) for part in command)]

    def environment(self, **more):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", **more}

    def run(self, *command, **variables):
        return run(*self.command(*command), env=self.environment(**variables))

    def path(self, inside):
        return self.root / str(inside).lstrip("/")


def build_packages(output, version=None):
    """Makes both packages from what is built; returns the paths of talosmq and libtalosmq-dev."""
    more = ["-D", f"CPACK_PACKAGE_VERSION={version}"] if version else []
    # A test is not the place to wait for xz.
    run(ROOT / "packaging/build-package.sh", output, "--build-dir", BUILD, "-D", "CPACK_DEBIAN_COMPRESSION_TYPE=zstd",
        *more)
    return next(output.glob("talosmq_*.deb")), next(output.glob("libtalosmq-dev_*.deb"))
