"""A program in Java that is given its work line by line and answers each line with lines."""

import contextlib
import pathlib
import queue
import shutil
import subprocess
import tempfile
import threading

ANSWER_SECONDS = 120


class JavaProgram:
    """A JVM that has a folder for all that it writes; end() kills it and removes the folder."""

    def __init__(self, classpath, main, *arguments, flags=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="talosmq-java."))
        self.lines = queue.Queue()
        # It lives shortly, so the better compiler would not pay.
        command = ["java", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Djava.io.tmpdir={self.folder}",
                   *flags, "-cp", classpath, main, *arguments]
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=log, bufsize=0)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        with open(self.process.stdout.fileno(), encoding="utf-8", closefd=False) as lines:
            for line in lines:
                self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def tell(self, word, **values):
        """Gives it work: a line of WORD KEY=VALUE..., whose values have no spaces."""
        line = " ".join([word, *(f"{key}={value}" for key, value in values.items())])
        with contextlib.suppress(BrokenPipeError):  # answer() says that it has ended.
            self.process.stdin.write(f"{line}\n".encode())

    def answer(self, seconds=ANSWER_SECONDS):
        """Its next line."""
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"the program says nothing for {seconds} s\n{self.log()[-5000:]}") from None
        if line is None:
            raise AssertionError(f"the program has ended\n{self.log()[-5000:]}")
        return line

    def ask(self, word, **values):
        self.tell(word, **values)
        return self.answer()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdin.close()
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)
