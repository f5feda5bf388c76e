"""Certificates for tests, made with the openssl program."""

import os
import shutil
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """A certificate authority in a folder, and what it signs."""

    def __init__(self, folder, name):
        self.folder = folder
        self.name = name
        self.ca = folder / f"{name}.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", folder / f"{name}.key", "-out", self.ca, "-subj", f"/CN={name}", "-days", 2)

    def sign(self, name, subject_name="IP:127.0.0.1", days=2):
        """Certificate and key files of a new certificate for the host; below 0 days it has run out."""
        stem = self.folder / f"{self.name}-{name}"
        certificate, key, request = (stem.with_suffix(s) for s in (".crt", ".key", ".csr"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                "-out", request, "-subj", f"/CN={name}")
        extensions = stem.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={subject_name}\n")
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.folder / f"{self.name}.key",
                "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", certificate)
        return certificate, key


def replace(source, target):
    """Puts a copy of the file in the place of the other in one step."""
    copy = target.with_suffix(".new")
    shutil.copy(source, copy)
    os.replace(copy, target)
