from __future__ import annotations

import base64
import shlex
from pathlib import Path

import pytest

from preamp.build.errors import SourceError
from preamp.build.git import Remote, explain, remote
from preamp.build.request import Credentials


@pytest.mark.parametrize(
    ("address", "url", "local"),
    [
        ("https://host.test/a/b", "https://host.test/a/b", False),
        ("https://me:pw@host.test:8443/a", "https://host.test:8443/a", False),
        ("git@host.test:a/b.git", "git@host.test:a/b.git", False),
        ("ssh://git@host.test/a", "ssh://git@host.test/a", False),
        ("/srv/repo.git", "/srv/repo.git", True),
        ("file:///srv/repo.git", "file:///srv/repo.git", True),
    ],
)
def test_addresses(tmp_path: Path, address: str, url: str, local: bool) -> None:
    found = remote(address, Credentials(), tmp_path, tmp_path)
    assert (found.url, found.local) == (url, local)


@pytest.mark.parametrize("address", ["", "-oProxy=x", "ext::sh -c id", "javascript://x", "https://", "a\nb"])
def test_impossible_addresses(tmp_path: Path, address: str) -> None:
    with pytest.raises(SourceError):
        remote(address, Credentials(), tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("host", "token", "login"),
    [
        ("github.com", "tok123456", "x-access-token:tok123456"),
        ("gitlab.example", "tok123456", "oauth2:tok123456"),
        ("bitbucket.org", "tok123456", "x-token-auth:tok123456"),
        ("git.example", "me:tok123456", "me:tok123456"),
    ],
)
def test_tokens_travel_as_a_header_for_the_host_only(
    tmp_path: Path, host: str, token: str, login: str
) -> None:
    found = remote(f"https://{host}/a/b", Credentials(token=token), tmp_path, tmp_path)
    header = dict(found.config)[f"http.https://{host}/.extraHeader"]
    assert base64.b64decode(header.removeprefix("Authorization: Basic ")).decode() == login
    assert "tok123456" not in repr(found)
    assert "tok123456" in found.secrets


def test_ssh_keys_are_ours_alone(tmp_path: Path) -> None:
    found = remote("git@host.test:a/b", Credentials(ssh_key="KEY"), tmp_path, tmp_path / "known 100%")
    key = tmp_path / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    command = shlex.split(found.ssh_command or "")
    assert command[command.index("-i") + 1] == str(key)
    assert f'UserKnownHostsFile="{tmp_path}/known 100%%" ~/.ssh/known_hosts' in command


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ("fatal: Authentication failed for 'https://h/'", "needs credentials and none were given"),
        ("fatal: could not read Username for 'https://h'", "access token"),
        ("git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.", "denied"),
        ("remote: Repository not found.\nfatal: repository 'https://h/' not found", "does not exist"),
        ("Host key verification failed.\nfatal: Could not read from remote", "has another key than before"),
        ("fatal: unable to access 'https://h/': Could not resolve host: h", "cannot be reached"),
        ("fatal: something new", "git says: fatal: something new"),
    ],
)
def test_errors_say_what_to_do(errors: str, told: str) -> None:
    assert told in explain(errors, Remote(url="https://h/", local=False))
