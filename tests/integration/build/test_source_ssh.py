"""Repositories behind a real ssh server."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from preamp.build.errors import SourceError
from preamp.build.request import Credentials
from tests.integration.build.support import Builder, Repository, spec
from tests.support.sshd import SshServer, new_key

pytestmark = pytest.mark.needs("git", "bwrap", "ssh", "sshd", "ssh-keygen")


@pytest.fixture
def server(tmp_path: Path) -> SshServer:
    return SshServer(tmp_path / "ssh")


@pytest.fixture
def key(tmp_path: Path, server: SshServer) -> Credentials:
    """What the server lets in."""
    path = new_key(tmp_path / "key")
    server.allow(path)
    return Credentials(ssh_key=path.read_text())


def served(folder: Path, name: str, files: dict[str, str], submodule: str | None = None) -> str:
    """A bare repository; its path."""
    work = Repository(folder / name)
    work.commit(files)
    if submodule:
        work.git("submodule", "--quiet", "add", str(folder / "part.git"), "lib")
        work.git("config", "-f", ".gitmodules", "submodule.lib.url", submodule)
        work.commit({})
    work.git("clone", "-q", "--bare", ".", str(folder / f"{name}.git"))
    return str(folder / f"{name}.git")


def test_with_the_key_of_the_app(
    builder: Builder, server: SshServer, key: Credentials, tmp_path: Path
) -> None:
    look = "mkdir dist; cat .git/config > dist/x; env >> dist/x; ls -a ~ /tmp >> dist/x"
    path = served(tmp_path, "site", {"amplify.yml": spec(look)})
    with server.run():
        for address in (f"{server.url}{path}", f"git+{server.url}{path}"):
            builder.run(address, credentials=key)
    assert key.ssh_key is not None
    seen = builder.output["x"] + builder.log.text
    assert "PRIVATE KEY" not in seen
    assert key.ssh_key.splitlines()[1] not in seen
    assert (builder.folders.mirrors / "known_hosts").read_text().count("ssh-ed25519") == 1


def test_with_another_key(builder: Builder, server: SshServer, key: Credentials, tmp_path: Path) -> None:
    path = served(tmp_path, "site", {"index.html": ""})
    other = Credentials(ssh_key=new_key(tmp_path / "other").read_text())
    with server.run():
        with pytest.raises(SourceError, match="was denied: the given credentials were refused"):
            builder.run(server.url + path, credentials=other)
        with pytest.raises(SourceError, match="was denied: it needs credentials and none were given"):
            builder.run(server.url + path)
        with pytest.raises(SourceError, match="was denied: the given credentials were refused"):
            builder.run(server.url + path, credentials=Credentials(ssh_key="no key at all"))
        with pytest.raises(SourceError, match="does not exist, or these credentials do not see it"):
            builder.run(f"{server.url}{tmp_path}/none.git", credentials=key)
    with pytest.raises(SourceError, match="cannot be reached"):
        builder.run(server.url + path, credentials=key)


def test_a_host_with_another_key_than_before(
    builder: Builder, server: SshServer, key: Credentials, tmp_path: Path
) -> None:
    path = served(tmp_path, "site", {"index.html": ""})
    with server.run():
        builder.run(server.url + path, credentials=key)
    server.new_host_key()
    with server.run():
        with pytest.raises(
            SourceError, match=r"has another key than before.*ssh-keygen -f mirrors/known_hosts"
        ):
            builder.run(server.url + path, credentials=key)
        known = builder.folders.mirrors / "known_hosts"
        host = f"[127.0.0.1]:{server.port}"
        subprocess.run(["ssh-keygen", "-q", "-f", known, "-R", host], check=True, capture_output=True)
        builder.run(server.url + path, credentials=key)


@pytest.mark.parametrize("address", ["../part.git", "{server}{folder}/part.git"])
def test_submodules_with_the_same_key(
    builder: Builder, server: SshServer, key: Credentials, tmp_path: Path, address: str
) -> None:
    served(tmp_path, "part", {"part.txt": "part"})
    address = address.format(server=server.url, folder=tmp_path)
    path = served(tmp_path, "site", {"index.html": ""}, submodule=address)
    with server.run():
        builder.run(server.url + path, credentials=key)
    assert builder.output["lib/part.txt"] == "part"
