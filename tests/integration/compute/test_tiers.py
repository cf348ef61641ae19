"""One server in each kind of sandbox that this machine offers."""

from __future__ import annotations

import asyncio
import os
from urllib.parse import quote

import pytest

from preamp.build.errors import SandboxUnavailable
from preamp.build.sandbox import Tier, probe
from preamp.compute.bundles import Bundles
from preamp.compute.facts import Facts
from preamp.compute.instance import start_instance
from preamp.compute.logs import ServerLog
from preamp.compute.machinery import machine_of
from preamp.settings import Settings
from preamp.store.manifests import read_manifest
from preamp.store.releases import get_release
from tests.integration.compute.support import Site, get, new_site, parsed
from tests.integration.compute.test_isolation import PROBE

SLOT = 3000 + 10 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
"""The weakest sandboxes kill by uid."""

pytestmark = pytest.mark.needs("node")


def facts_of(site: Site, release_id: str) -> Facts:
    with site.database.read() as conn:
        release = get_release(conn, release_id)
    assert release is not None
    compute = read_manifest(site.blobs, release.manifest).compute
    assert compute is not None
    return Facts(
        release_id=release_id,
        app_id=site.app.app_id,
        branch_id=site.branch.branch_id,
        branch="main",
        job=1,
        compute=compute,
    )


class Lines:
    def write(self, data: bytes) -> None:
        print(data.decode(), end="")


@pytest.mark.parametrize("tier", [tier for tier in Tier if tier is not Tier.NONE])
def test_a_server(tier: Tier) -> None:
    try:
        sandbox = probe(only=tier)
    except SandboxUnavailable as error:
        pytest.skip(str(error))

    async def main(site: Site) -> None:
        facts = facts_of(site, site.release(PROBE))
        machine = await machine_of(
            Settings(data=site.folder.root, compute_network="none"), site.folder, sandbox, slot=SLOT
        )
        bundle = await Bundles(machine.places.bundles, site.blobs, max_bytes=1000).open(facts.compute)
        instance = await start_instance(
            machine,
            facts,
            bundle=bundle.folder,
            slot=SLOT,
            log=ServerLog(Lines()),
            socket_path=machine.places.sockets / f"{os.getpid()}-tier.sock",
        )
        try:
            secret = site.folder.root / "secret"
            secret.write_text("x")
            seen = parsed(await get(instance.socket_path, f"/?path={secret}"))
            assert seen["read"][0] in {"ENOENT", "EACCES"}
            own = parsed(await get(instance.socket_path, f"/?write={quote(str(bundle.folder))}/x"))
            assert own["write"][0] != "ok"
            assert instance.memory_bytes > 1024 * 1024
        finally:
            await instance.stop(2)
            bundle.close()
        assert (await instance.ended()).text == "exited with 0"
        assert not instance.socket_path.exists()

    with new_site() as site:
        asyncio.run(main(site))
