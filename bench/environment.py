"""What the benches measure against, installed from a lock file into an environment of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-bench"
LOCK = ROOT / "requirements-bench.lock"


def program(name: str) -> Path:
    """A program of the environment, after installing what the lock file says."""
    stamp = ENVIRONMENT / "stamp"
    if not stamp.exists() or stamp.read_bytes() != LOCK.read_bytes():
        print(f"installing the yardsticks into {ENVIRONMENT.name}", flush=True)
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        pip = [ENVIRONMENT / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, "--quiet", "--require-hashes", "--requirement", LOCK], check=True)
        shutil.copy(LOCK, stamp)
    return ENVIRONMENT / "bin" / name


def free_port() -> int:
    """One that nothing listened on a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
