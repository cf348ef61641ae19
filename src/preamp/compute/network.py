"""Networks for servers: the internet without this machine, by `pasta` of the package passt.

pasta makes a user and a network namespace and carries what leaves it over ordinary sockets. Nothing comes in.
This machine's own addresses are unreachable inside, and those where clouds keep the machine's credentials.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from preamp.build.processes import run, wait_process
from preamp.build.sandbox import Network, Sandbox, Tier
from preamp.compute import routes
from preamp.settings import ComputeNetwork

ADVICE = "install the package `passt` (Debian, Ubuntu, Fedora), or set compute_network to none or shared"
DNS = "198.51.100.53"
"""An address of documentation that stands for the machine's resolver where that listens on loopback."""
METADATA = (ipaddress.ip_network("169.254.0.0/16"), ipaddress.ip_network("fd00:ec2::254/128"))
"""Where clouds tell a machine its credentials."""
START_SECONDS = 10.0
_PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_OPTIONS = ("--config-net", "--no-map-gw", "--quiet", "--foreground")
_NO_PORTS = ("-t", "none", "-u", "none", "-T", "none", "-U", "none")
# Ends when we do: then the pipe at its standard input closes. The pid is that of our own namespace.
_HOLDER = 'read -r pid _ </proc/self/stat; echo "$pid"; read -r _'


class NetworkError(Exception):
    """There is no such network here; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkReport:
    """What servers get, for logs and `preamp doctor`."""

    network: Network
    """JOINED: the internet by pasta."""
    wanted: ComputeNetwork
    problem: str | None
    """Why it is not what was wanted."""

    @property
    def text(self) -> str:
        got = {
            Network.JOINED: "the internet, not this machine (pasta)",
            Network.NONE: "nothing but their own loopback",
            Network.SHARED: "this machine's network and all that listens on it",
        }[self.network]
        return f"servers reach {got}" + (
            f"; WANTED {self.wanted.value}: {self.problem}" if self.problem else ""
        )


class OpenNetwork:
    """The namespaces of one server. `pid`: of a process in them."""

    def __init__(self, pid: int, process: subprocess.Popen[bytes], hold: int) -> None:
        self.pid = pid
        self.carrier_pid = process.pid
        """Of pasta, which takes memory too."""
        self._process = process
        self._hold = hold

    async def close(self) -> None:
        """The server in it is dead. pasta ends when its child has."""
        if self._hold < 0:
            return
        os.close(self._hold)
        self._hold = -1
        try:
            await asyncio.wait_for(wait_process(self._process), 2.0)
        except TimeoutError:
            self._process.kill()
            await wait_process(self._process)


async def probe_network(sandbox: Sandbox, wanted: ComputeNetwork, slot: int) -> NetworkReport:
    """Try what is wanted, for the user of `slot`."""
    tier = sandbox.report.tier
    if wanted is ComputeNetwork.SHARED:
        return NetworkReport(network=Network.SHARED, wanted=wanted, problem=None)
    if tier in {Tier.LANDLOCK, Tier.NONE}:
        reason = f"the sandbox {tier.value} has no networks of its own"
        return NetworkReport(network=Network.SHARED, wanted=wanted, problem=reason)
    if wanted is ComputeNetwork.NONE:
        return NetworkReport(network=Network.NONE, wanted=wanted, problem=None)
    if tier is not Tier.BWRAP_USERNS:
        reason = f"the sandbox {tier.value} has no user namespaces"
        return NetworkReport(network=Network.NONE, wanted=wanted, problem=reason)
    try:
        await (await open_network(sandbox.owner(slot))).close()
    except NetworkError as error:
        return NetworkReport(network=Network.NONE, wanted=wanted, problem=str(error))
    return NetworkReport(network=Network.JOINED, wanted=wanted, problem=None)


async def open_network(owner: tuple[int, int] | None) -> OpenNetwork:
    """owner: the uid and gid that the server will have; None: our own. Main thread. Raises NetworkError."""
    program = shutil.which("pasta", path=f"{os.environ.get('PATH', '')}:{_PATH['PATH']}")
    if program is None:
        raise NetworkError(f"pasta is not installed: {ADVICE}")
    uid, gid = owner or (None, None)
    hold_read, hold = os.pipe2(os.O_CLOEXEC)
    said, say = os.pipe2(os.O_CLOEXEC)
    problem, problem_write = os.pipe2(os.O_CLOEXEC)
    try:
        process = subprocess.Popen(  # noqa: ASYNC220 - returns once pasta is executed, milliseconds
            [program, *_OPTIONS, *_dns(), *_NO_PORTS, "--", "/bin/sh", "-c", _HOLDER],
            stdin=hold_read,
            stdout=say,
            stderr=problem_write,
            env=_PATH,
            cwd="/",
            start_new_session=True,
            user=uid,
            group=gid,
            extra_groups=None if owner is None else [],
        )
    except OSError as error:
        for fd in (hold, said, problem):
            os.close(fd)
        raise NetworkError(f"pasta cannot be started: {error}: {ADVICE}") from error
    finally:
        for fd in (hold_read, say, problem_write):
            os.close(fd)
    opened = False
    try:
        line = await asyncio.wait_for(_first_line(said), START_SECONDS)
        if not line.strip().isdigit():
            text = await asyncio.wait_for(_first_line(problem), 1.0)
            raise NetworkError(f"pasta does not work here: {text.strip() or 'it said nothing'}")
        network = OpenNetwork(int(line), process, hold)
        await _close_off(network.pid)
        opened = True
        return network
    except TimeoutError:
        raise NetworkError(f"pasta did not begin in {START_SECONDS:.0f} s") from None
    finally:
        os.close(said)
        os.close(problem)
        if not opened:
            os.close(hold)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await wait_process(process)


async def _close_off(pid: int) -> None:
    own = [f"{address.packed.hex()}/{address.max_prefixlen}" for address in own_addresses()]
    clouds = [f"{network.network_address.packed.hex()}/{network.prefixlen}" for network in METADATA]
    done = await run([sys.executable, "-I", "-S", routes.__file__, str(pid), *own, *clouds], env=_PATH)
    if done.code:
        reason = done.errors.splitlines()[-1] if done.errors else f"exit code {done.code}"
        raise NetworkError(f"this machine cannot be made unreachable for servers: {reason}")


def own_addresses() -> Sequence[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Of this machine, loopback apart: that is another one in each namespace."""
    found: set[ipaddress.IPv4Address | ipaddress.IPv6Address] = set()
    with contextlib.suppress(FileNotFoundError):
        found.update(_ipv4(Path("/proc/net/fib_trie").read_text().splitlines()))
    with contextlib.suppress(FileNotFoundError):
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            found.add(ipaddress.IPv6Address(bytes.fromhex(line.split()[0])))
    return sorted((address for address in found if not address.is_loopback), key=str)


def _ipv4(lines: Iterable[str]) -> Iterable[ipaddress.IPv4Address]:
    """An address stands in the line before its `/32 host LOCAL`."""
    before = ""
    for line in lines:
        if line.strip() == "/32 host LOCAL":
            yield ipaddress.IPv4Address(before.rpartition("|-- ")[2].strip())
        before = line


def _dns() -> Sequence[str]:
    """Only where it is needed: pasta gives all answers of the machine's resolver that address, also those to
    questions that went to the resolver itself, and nobody takes these."""
    return ("--dns-forward", DNS) if resolv_conf() is not None else ()


def resolv_conf() -> str | None:
    """What `/etc/resolv.conf` has to be inside; None: the machine's own does."""
    try:
        lines = Path("/etc/resolv.conf").read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    words = [line.split() for line in lines]
    servers = [word[1].partition("%")[0] for word in words if len(word) > 1 and word[0] == "nameserver"]
    hidden = {str(address) for address in own_addresses()}
    for server in servers:
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_address(server)
            if not address.is_loopback and not address.is_link_local and str(address) not in hidden:
                return None
    rest = [
        line for line, word in zip(lines, words, strict=True) if word and word[0] in {"search", "options"}
    ]
    return "\n".join([f"nameserver {DNS}", *rest]) + "\n"


async def _first_line(fd: int) -> str:
    """Without a thread, which could not be cancelled."""
    os.set_blocking(fd, False)
    loop = asyncio.get_running_loop()
    data = b""
    while b"\n" not in data:
        readable = asyncio.Event()
        loop.add_reader(fd, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(fd)
        block = os.read(fd, 4096)
        if not block:
            break
        data += block
    return data.decode("utf-8", "replace")
