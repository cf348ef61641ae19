"""A custom domain from its association to a page and its access log: plain boto3, plain HTTP."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.preamp import Preamp, fetch, running, until, wait_for_job
from tests.support.sources import answer, serving, zip_of

pytestmark = [pytest.mark.needs("bwrap")]


@pytest.fixture(scope="module")
def preamp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preamp]:
    # Names below the site domain are nobody's; every name below localhost leads here.
    with running(tmp_path_factory.mktemp("domain") / "data", "--site-domain", "sites.localhost") as it:
        yield it


def status(client: Any, app_id: str, domain: str) -> str:
    found = client.get_domain_association(appId=app_id, domainName=domain)["domainAssociation"]
    return str(found["domainStatus"])


def test_a_domain_that_leads_here_is_served_and_logged(preamp: Preamp) -> None:
    client = preamp.client()
    app_id = client.create_app(name="shop")["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    site = zip_of({"index.html": "<h1>shop</h1>"})
    with serving(lambda handler: answer(handler, 200, site)) as url:
        client.start_deployment(appId=app_id, branchName="main", sourceUrl=f"{url}/shop.zip")
        job = wait_for_job(client, app_id, "main", "1")
    assert job["summary"]["status"] == "SUCCEED", job
    assert fetch(preamp.edge, "www.shop.localhost", "/")[0] == 404

    seen = [
        client.create_domain_association(
            appId=app_id,
            domainName="shop.localhost",
            enableAutoSubDomain=True,
            subDomainSettings=[{"prefix": prefix, "branchName": "main"} for prefix in ("", "www")],
        )["domainAssociation"]["domainStatus"]
    ]

    def available() -> bool:
        now = status(client, app_id, "shop.localhost")
        if now != seen[-1]:
            seen.append(now)
        return now == "AVAILABLE"

    until(available, "the domain to be available")
    order = ["CREATING", "REQUESTING_CERTIFICATE", "PENDING_VERIFICATION", "PENDING_DEPLOYMENT", "AVAILABLE"]
    assert seen == [name for name in order if name in seen]
    for host in ("www.shop.localhost", "shop.localhost"):
        assert fetch(preamp.edge, host, f"/?at={host}") == (200, b"<h1>shop</h1>")

    def logged() -> bytes:
        log_url = client.generate_access_logs(appId=app_id, domainName="shop.localhost")["logUrl"]
        with urllib.request.urlopen(log_url) as body:
            return bytes(body.read())

    until(lambda: logged().count(b"\n") >= 3, "the requests to be in the access log")
    lines = logged().decode().splitlines()
    assert {len(line.split(",")) for line in lines} == {33}
    assert {line.split(",")[11] for line in lines[1:]} == {"at=www.shop.localhost", "at=shop.localhost"}

    client.create_branch(appId=app_id, branchName="dev")
    until(lambda: fetch(preamp.edge, "dev.shop.localhost", "/")[0] == 200, "the new branch's own host")
    client.delete_domain_association(appId=app_id, domainName="shop.localhost")
    until(lambda: fetch(preamp.edge, "www.shop.localhost", "/")[0] == 404, "the host to be gone")
