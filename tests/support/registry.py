"""A real image registry on loopback, without TLS, and images of it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from socket import socket

from tests.conftest import find_tool

CONFIG = """version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
http: {{addr: '127.0.0.1:{port}'}}
log: {{level: warn, accesslog: {{disabled: true}}}}
"""


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """`localhost:PORT`."""
    folder.mkdir()
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    (folder / "config.yml").write_text(CONFIG.format(folder=folder, port=port))
    program = find_tool("docker-registry")
    assert program is not None, "the test is marked with needs"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        _wait(process, port, folder / "log")
        yield f"localhost:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(500):
        assert process.poll() is None, log.read_text()
        try:
            connection = HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/v2/")
            assert connection.getresponse().status == 200
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            connection.close()
            return
    raise AssertionError(log.read_text())


def push(reference: str, layers: Sequence[bytes], scratch: Path, *options: str) -> None:
    """Make an image of these tar archives and push it."""
    names = [hashlib.sha256(layer).hexdigest() for layer in layers]
    config = {
        "architecture": _architecture(),
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{name}" for name in names]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [], "Layers": [f"{name}.tar" for name in names]}]
    archive = scratch / "image.tar"
    with tarfile.open(archive, "w") as tar:
        for name, data in [
            *((f"{name}.tar", layer) for name, layer in zip(names, layers, strict=True)),
            ("config.json", json.dumps(config).encode()),
            ("manifest.json", json.dumps(manifest).encode()),
        ]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    done = subprocess.run(
        ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", *options,
         f"docker-archive:{archive}", f"docker://{reference}"],
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def archive_of(programs: Sequence[str] = (), files: Mapping[str, str] | None = None) -> bytes:
    """A tar archive of programs of this machine with their libraries, and of files."""
    found: dict[str, Path] = {}
    for program in programs:
        path = Path(find_tool(program) or program)
        found[f"usr/bin/{program}"] = path
        linked = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
        for library in re.findall(r"(/\S+)", linked):
            found[library.lstrip("/")] = Path(library)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, path in found.items():
            tar.add(path.resolve(), name)
        if programs:
            link = tarfile.TarInfo("bin")
            link.type, link.linkname = tarfile.SYMTYPE, "usr/bin"
            tar.addfile(link)
        for name, text in (files or {}).items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def _architecture() -> str:
    names = {"x86_64": "amd64", "aarch64": "arm64"}
    machine = subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout.strip()
    return names.get(machine, machine)
