"""Makes the Python client importable: builds it, stubs included, as an installation would.

A test imports this before it imports talosmq.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
_built = tempfile.TemporaryDirectory(prefix="talosmq-package.")
_environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # setup.py would warn

subprocess.run([sys.executable, "setup.py", "-q", "build_py", "--no-compile", "--build-lib", _built.name],
               cwd=ROOT / "clients" / "python", env=_environment, check=True)
PATH = _built.name
sys.path.insert(0, PATH)
