"""Running git as ourselves on a repository that is not trusted, and saying what its errors mean."""

from __future__ import annotations

import base64
import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from preamp.build.errors import SourceError
from preamp.build.processes import Finished, run
from preamp.build.request import Credentials

_PASSED = (
    "PATH", "HOME", "SSH_AUTH_SOCK", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy",
    "https_proxy", "all_proxy", "no_proxy", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE",
    "SSL_CERT_DIR", "CURL_CA_BUNDLE",
)  # fmt: skip
_LOGIN_VARIABLES = ("PREAMP_GIT_USER", "PREAMP_GIT_PASSWORD")
_HELPER_OF_LOGIN = (
    '!f() { test "$1" != get || '
    'printf "username=%s\\npassword=%s\\n" "$PREAMP_GIT_USER" "$PREAMP_GIT_PASSWORD"; }; f'
)
"""Command lines are visible to every user, environments are not."""
_SCP = re.compile(r"^(?:[^@/:]+@)?[^/:]+:(?!/)")
_HELPER = re.compile(r"^[\w+.-]+::")
"""`ext::command` and the like: git would run a helper program of that name."""
KNOWN_HOSTS = "known_hosts"
"""In the folder of mirrors."""
NETWORK = frozenset({"http", "https", "ssh", "git", "git+ssh"})
_DENIED = (
    "authentication failed", "could not read username", "could not read password",
    "permission denied (publickey", "invalid username or password",
    "error: 401", "error: 403",
)  # fmt: skip
_IMPOSTOR = ("remote host identification has changed", "host key verification failed")
_ABSENT = (
    "does not exist", "not found", "does not appear to be a git repository", "not a git repository",
)  # fmt: skip
_UNREACHABLE = (
    "could not resolve host", "connection refused", "timed out", "unable to access", "network is unreachable",
    "no route to host", "could not read from remote",
)  # fmt: skip
NOT_INSTALLED = (
    "git is not installed on the machine that runs the build: install it (Debian, Ubuntu: `apt install git`) "
    "and start the job again"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Remote:
    """A repository's address without credentials, and how git is told about them."""

    url: str
    """What may be shown and stored."""
    local: bool
    """A path or file URL."""
    config: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Configuration that reaches git through its environment only."""
    login: tuple[str, str] | None = field(default=None, repr=False)
    """User and password that `config` sends with each request."""
    ssh_command: str | None = None
    private: bool = False
    """Whether credentials were given."""
    secrets: tuple[str, ...] = field(default=(), repr=False)


def remote(repository: str, credentials: Credentials, private: Path, known_hosts: Path) -> Remote:
    """private: a folder of ours, for the key file. known_hosts: the file where host keys of ssh are kept, in
    a folder that may not be there yet. Raises SourceError for an address that cannot be."""
    text = repository.strip()
    if not text or text.startswith("-") or _HELPER.match(text) or any(ord(char) < 32 for char in text):
        raise SourceError(f"{repository!r} is not the address of a repository")
    parts = urlsplit(text) if "://" in text else None
    if parts is None:
        if _SCP.match(text):
            return _ssh(text, credentials, private, known_hosts)
        return Remote(url=str(Path(text).expanduser().absolute()), local=True)
    if parts.scheme == "file":
        return Remote(url=text, local=True)
    if parts.scheme not in NETWORK:
        raise SourceError(
            f"Repositories cannot be cloned through {parts.scheme}://: use https, ssh, git or file, or a path"
        )
    if not parts.hostname:
        raise SourceError(f"{text!r} names no host")
    if parts.scheme in {"ssh", "git+ssh"}:
        return _ssh(text, credentials, private, known_hosts)
    return _http(text, credentials)


def _http(text: str, credentials: Credentials) -> Remote:
    parts = urlsplit(text)
    clean = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    login = None
    secrets: list[str] = []
    if credentials.token:
        user, colon, password = credentials.token.partition(":")
        login = f"{user}:{password}" if colon else f"{_token_user(parts.hostname or '')}:{credentials.token}"
        secrets = [password if colon else credentials.token]
    elif parts.password or parts.username:
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        secrets = [unquote(parts.password or parts.username or "")]
    if login is None or parts.scheme not in {"http", "https"}:
        return Remote(url=clean, local=False)
    header = base64.b64encode(login.encode()).decode()
    origin = _origin(clean)
    host = parts.hostname
    user, _, password = login.partition(":")
    config = (
        (f"http.{origin}.extraHeader", f"Authorization: Basic {header}"),
        ("credential.helper", ""),
        # submodules of the same host are often written for ssh, of which there is no key
        (f"url.{origin}.insteadOf", f"git@{host}:"),
        (f"url.{origin}.insteadOf", f"ssh://git@{host}/"),
    )
    return Remote(
        url=clean,
        local=False,
        config=config,
        login=(user, password),
        private=True,
        secrets=(*secrets, header),
    )


def _origin(url: str) -> str:
    """Scheme, host and port of an address without credentials."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def _token_user(host: str) -> str:
    """The user name that goes with a bare token, by provider."""
    if "gitlab" in host:
        return "oauth2"
    if "bitbucket" in host:
        return "x-token-auth"
    return "x-access-token"


def _ssh(text: str, credentials: Credentials, private: Path, known_hosts: Path) -> Remote:
    """A host's key is kept when it is first seen; with another one later nothing is fetched."""
    # the first file is written; of the second, which people keep themselves, keys count too
    known = f'UserKnownHostsFile="{_no_tokens(known_hosts)}" ~/.ssh/known_hosts'
    options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new", "-o", known]
    if credentials.ssh_key:
        key = private / "key"
        key.touch(mode=0o600)
        key.write_text(credentials.ssh_key.strip() + "\n")
        options += ["-i", _no_tokens(key), "-o", "IdentitiesOnly=yes"]
    return Remote(
        url=text, local=False, ssh_command=shlex.join(["ssh", *options]), private=bool(credentials.ssh_key)
    )


def _no_tokens(path: Path) -> str:
    """ssh expands `%h` and the like."""
    return str(path).replace("%", "%%")


class Git:
    """The git program with settings under which a repository cannot make it run anything."""

    def __init__(self, target: Remote, *, trusted_config: bool, when_asked: bool = False) -> None:
        """trusted_config: obey the machine's own git configuration (proxies, certificates, helpers); right
        for fetching, wrong for checking out. when_asked: send a login only to requests that want one; right
        for git-lfs, whose storage wants another, and refuses both at once."""
        self._remote = target
        settings = {
            "protocol.ext.allow": "never",
            "core.hooksPath": "/dev/null",
            "core.fsmonitor": "false",
            "core.askPass": "true",
            "safe.directory": "*",
            "advice.detachedHead": "false",
            "init.defaultBranch": "main",
            "gc.auto": "0",
            "maintenance.auto": "false",
            "protocol.file.allow": "always" if target.local else "never",
        }
        pairs = [*settings.items(), *target.config]
        self._env = {name: os.environ[name] for name in _PASSED if name in os.environ} | {
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_LFS_SKIP_SMUDGE": "1",
        }
        if when_asked and target.login is not None:
            pairs = [pair for pair in pairs if not pair[0].endswith(".extraHeader")]
            pairs.append((f"credential.{_origin(target.url)}.helper", _HELPER_OF_LOGIN))
            self._env |= dict(zip(_LOGIN_VARIABLES, target.login, strict=True))
        self._env["GIT_CONFIG_COUNT"] = str(len(pairs))
        for number, (name, value) in enumerate(pairs):
            self._env |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        self._env["GIT_SSH_COMMAND"] = target.ssh_command or "ssh -o BatchMode=yes"
        if not trusted_config:
            self._env |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}

    async def __call__(self, *arguments: str, folder: Path | None = None) -> Finished:
        """Run git; the result also when it failed. Raises SourceError when there is no git."""
        # a damaged repository must not make git work on one that `folder` lies in
        ceiling = {"GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)} if folder is not None else {}
        try:
            return await run(["git", *arguments], env=self._env | ceiling, cwd=folder)
        except FileNotFoundError as error:
            if folder is not None and not folder.exists():
                raise SourceError(f"{folder} does not exist") from error
            raise SourceError(NOT_INSTALLED) from error

    async def must(self, *arguments: str, folder: Path | None = None) -> str:
        """Run git; its output. Raises SourceError with what the failure means."""
        done = await self(*arguments, folder=folder)
        if done.code:
            raise SourceError(explain(done.errors, self._remote))
        return done.text


def explain(errors: str, target: Remote) -> str:
    """What to tell about git's stderr, and what to do."""
    text = errors.lower()
    where = target.url
    last = next(
        (line for line in reversed(errors.splitlines()) if line.startswith(("fatal:", "error:"))),
        errors.splitlines()[-1] if errors else "git ended without a message",
    )
    if any(sign in text for sign in _IMPOSTOR):
        return (
            f"The host of {where} has another key than before: it was set up anew, or somebody pretends to "
            "be it. If the new key is right, remove the old one (in the data folder: `ssh-keygen "
            f"-f mirrors/{KNOWN_HOSTS} -R HOST`) and start the job again"
        )
    if any(sign in text for sign in _DENIED):
        have = (
            "the given credentials were refused"
            if target.private
            else "it needs credentials and none were given"
        )
        return (
            f"Access to the repository {where} was denied: {have}. Give the app a valid access token "
            f"(or a key for ssh). git says: {last}"
        )
    if any(sign in text for sign in _ABSENT):
        return (
            f"The repository {where} does not exist, or these credentials do not see it. Check the app's "
            f"repository address. git says: {last}"
        )
    if any(sign in text for sign in _UNREACHABLE):
        return (
            f"The repository {where} cannot be reached: check the address and the network. git says: {last}"
        )
    if "no space left" in text:
        return f"The disk is full while fetching {where}: free some space and start the job again"
    return f"Fetching {where} failed. git says: {last}"
