"""Domain associations: plain boto3, the worker's watch, and names that a test makes resolve."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from preamp.engine.domains import TAKEN
from preamp.model.times import now_ms
from preamp.store.hosting import CustomHost, site_of_host
from preamp.worker.domains import DomainWatch
from preamp.worker.reach import Reach
from tests.support.control import InProcess, app_with_branch, refused

DOMAIN = "example.com"
HERE = "203.0.113.7"
ELSEWHERE = "198.51.100.1"


@dataclass
class World:
    """Names and where they lead; the worker's part of Preamp."""

    preamp: InProcess
    names: dict[str, str] = field(default_factory=lambda: {"edge.example": HERE})
    asked: list[str] = field(default_factory=list)
    now: int = field(default_factory=now_ms)

    def resolve(self, host: str) -> frozenset[str]:
        self.asked.append(host)
        found = self.names.get(host) or self.names.get("*." + host.partition(".")[2])
        return frozenset({found}) if found else frozenset()

    def pass_time(self, ms: int = 1000) -> int:
        """One round of the worker; returns how many associations were looked at."""
        self.now += ms
        watch = DomainWatch(self.preamp.database, Reach(("edge.example",), self.resolve))
        return asyncio.run(watch.look_around(now=self.now))

    def site_of(self, host: str) -> CustomHost | None:
        with self.preamp.database.read() as conn:
            return site_of_host(conn, host)


@pytest.fixture
def world(preamp: InProcess) -> World:
    return World(preamp)


@pytest.fixture
def app_id(client: Any) -> str:
    return app_with_branch(client)


def associate(client: Any, app_id: str, *prefixes: str, domain: str = DOMAIN, **more: Any) -> dict[str, Any]:
    settings = [{"prefix": prefix, "branchName": "main"} for prefix in prefixes]
    answer = client.create_domain_association(
        appId=app_id, domainName=domain, subDomainSettings=settings, **more
    )
    return dict(answer["domainAssociation"])


def get(client: Any, app_id: str, domain: str = DOMAIN) -> dict[str, Any]:
    return dict(client.get_domain_association(appId=app_id, domainName=domain)["domainAssociation"])


def status(client: Any, app_id: str, domain: str = DOMAIN) -> str:
    return str(get(client, app_id, domain)["domainStatus"])


def verified(association: dict[str, Any]) -> dict[str, bool]:
    return {sub["subDomainSetting"].get("prefix", ""): sub["verified"] for sub in association["subDomains"]}


def test_from_creation_to_a_served_name(client: Any, app_id: str, world: World) -> None:
    created = associate(client, app_id, "", "www")
    assert created["domainStatus"] == "CREATING"
    assert created["domainAssociationArn"].endswith(f":apps/{app_id}/domains/{DOMAIN}")
    assert created["enableAutoSubDomain"] is False
    assert created["statusReason"] == ""
    assert [sub["dnsRecord"] for sub in created["subDomains"]] == [" CNAME <pending>", "www CNAME <pending>"]
    assert "certificateVerificationDNSRecord" not in created

    world.pass_time()
    assert status(client, app_id) == "REQUESTING_CERTIFICATE"
    world.pass_time()
    waiting = get(client, app_id)
    assert waiting["domainStatus"] == "PENDING_VERIFICATION"
    assert waiting["subDomains"] == [
        {
            "subDomainSetting": {"branchName": "main"},
            "verified": False,
            "dnsRecord": f" CNAME {app_id}.localhost",
        },
        {
            "subDomainSetting": {"prefix": "www", "branchName": "main"},
            "verified": False,
            "dnsRecord": f"www CNAME {app_id}.localhost",
        },
    ]
    assert world.site_of(DOMAIN) is None

    world.pass_time()
    waiting = get(client, app_id)
    assert waiting["domainStatus"] == "PENDING_VERIFICATION"
    assert "www.example.com: the name does not resolve" in waiting["statusReason"]

    world.names["www.example.com"] = HERE
    world.pass_time(3000)
    assert status(client, app_id) == "PENDING_DEPLOYMENT"
    assert world.site_of("www.example.com") == CustomHost(app_id=app_id, label="main", name="www.example.com")
    world.pass_time()
    done = get(client, app_id)
    assert done["domainStatus"] == "AVAILABLE"
    assert verified(done) == {"": False, "www": True}
    assert world.site_of(DOMAIN) is None
    branch = client.get_branch(appId=app_id, branchName="main")["branch"]
    assert branch["customDomains"] == ["example.com", "www.example.com"]

    world.names[DOMAIN] = HERE
    world.pass_time(3000)
    assert verified(get(client, app_id)) == {"": True, "www": True}
    assert get(client, app_id)["statusReason"] == ""
    world.names.clear()
    for _ in range(3):
        world.pass_time(3_600_000)
    assert verified(get(client, app_id)) == {"": True, "www": True}, "it is not taken back"
    assert world.pass_time(3_600_000) == 0, "nothing is left to look at"


def test_certificate_records_have_the_form_of_acm(client: Any, app_id: str, world: World) -> None:
    associate(client, app_id, "www")
    world.pass_time()
    found = get(client, app_id)
    record = found["certificateVerificationDNSRecord"]
    name, kind, value = record.split(" ")
    assert kind == "CNAME"
    assert name.startswith("_")
    assert name.endswith(f".{DOMAIN}.")
    assert value.endswith(".acm-validations.aws.")
    assert found["certificate"] == {
        "type": "AMPLIFY_MANAGED",
        "certificateVerificationDNSRecord": record,
    }
    world.pass_time()
    assert get(client, app_id)["certificateVerificationDNSRecord"] == record


def test_a_name_that_leads_elsewhere_says_so(client: Any, app_id: str, world: World) -> None:
    associate(client, app_id, "www")
    world.names["www.example.com"] = ELSEWHERE
    for _ in range(3):
        world.pass_time()
    found = get(client, app_id)
    assert found["domainStatus"] == "PENDING_VERIFICATION"
    assert f"leads to {ELSEWHERE}, which is not this server" in found["statusReason"]


def test_names_are_looked_up_often_at_first_and_rarely_later(client: Any, app_id: str, world: World) -> None:
    associate(client, app_id, "www")
    for _ in range(3):
        world.pass_time()
    assert world.pass_time(1000) == 0
    assert world.pass_time(2000) == 1
    world.pass_time(10 * 60_000)
    assert world.pass_time(3000) == 0
    assert world.pass_time(30_000) == 1
    world.pass_time(2 * 86_400_000)
    assert world.pass_time(10 * 60_000) == 0


def test_a_host_of_another_app_fails_the_association(client: Any, app_id: str, world: World) -> None:
    associate(client, app_id, "www", "blog")
    other = app_with_branch(client)
    created = associate(client, other, "www", "shop")
    assert created["domainStatus"] == "CREATING"
    world.pass_time()
    failed = get(client, other)
    assert failed["domainStatus"] == "FAILED"
    assert failed["statusReason"] == TAKEN
    assert status(client, app_id) == "REQUESTING_CERTIFICATE"
    world.names.update({"www.example.com": HERE, "shop.example.com": HERE})
    for _ in range(4):
        world.pass_time(3000)
    found = world.site_of("www.example.com")
    assert found is not None
    assert found.app_id == app_id
    assert world.site_of("shop.example.com") is None, "a failed association holds no host"

    with refused("BadRequestException", TAKEN):
        client.update_domain_association(appId=other, domainName=DOMAIN, enableAutoSubDomain=True)
    assert get(client, other)["enableAutoSubDomain"] is False, "a refused update changes nothing"
    client.delete_domain_association(appId=app_id, domainName=DOMAIN)
    client.update_domain_association(appId=other, domainName=DOMAIN)
    assert status(client, other) == "UPDATING"
    for _ in range(4):
        world.pass_time(3000)
    assert status(client, other) == "AVAILABLE"
    found = world.site_of("www.example.com")
    assert found is not None
    assert found.app_id == other


def test_the_same_domain_can_be_shared_by_different_hosts(client: Any, app_id: str, world: World) -> None:
    other = app_with_branch(client)
    associate(client, app_id, "www")
    associate(client, other, "blog")
    for _ in range(2):
        world.pass_time()
    assert (status(client, app_id), status(client, other)) == ("PENDING_VERIFICATION",) * 2


def test_a_wildcard_keeps_other_accounts_out(preamp: InProcess, app_id: str, world: World) -> None:
    client = preamp.client()
    associate(client, app_id, "*")
    stranger = preamp.client(preamp.make_key(account="111111111111"))
    other = app_with_branch(stranger)
    associate(stranger, other, "login")
    same_account = app_with_branch(client)
    associate(client, same_account, "login")
    world.pass_time()
    assert status(stranger, other) == "FAILED"
    assert status(client, same_account) == "REQUESTING_CERTIFICATE"


def test_wildcards_serve_what_has_no_name_of_its_own(client: Any, app_id: str, world: World) -> None:
    client.create_branch(appId=app_id, branchName="dev")
    client.create_domain_association(
        appId=app_id,
        domainName=DOMAIN,
        subDomainSettings=[
            {"prefix": "*", "branchName": "main"},
            {"prefix": "dev", "branchName": "dev"},
        ],
    )
    world.names["*.example.com"] = HERE
    for _ in range(4):
        world.pass_time(3000)
    assert any(host.startswith("preamp-") for host in world.asked)
    assert verified(get(client, app_id)) == {"*": True, "dev": True}
    labels = {
        host: found.label if (found := world.site_of(host)) else None
        for host in (
            "anything.example.com",
            "dev.example.com",
            "a.b.example.com",
            "example.com",
            "$.example.com",
        )
    }
    assert labels == {
        "anything.example.com": "main",
        "dev.example.com": "dev",
        "a.b.example.com": None,
        "example.com": None,
        "$.example.com": None,
    }
    found = world.site_of("anything.example.com")
    assert found is not None
    assert found.name == "*.example.com"


@pytest.mark.parametrize(
    ("patterns", "branch", "prefix"),
    [
        ([], "dev", "dev"),
        (["*"], "dev", "dev"),
        (["pr*"], "pr-12", "pr-12"),
        (["pr*"], "dev", None),
        (["*"], "feature/x", None),
        (["feature/**"], "feature/x", "feature-x"),
        (["feature/*"], "feature/Release_1.2", "feature-release-1-2"),
    ],
)
def test_new_branches_get_subdomains(
    client: Any, app_id: str, world: World, patterns: list[str], branch: str, prefix: str | None
) -> None:
    found = associate(client, app_id, "www", enableAutoSubDomain=True, autoSubDomainCreationPatterns=patterns)
    assert found["enableAutoSubDomain"] is True
    for _ in range(3):
        world.pass_time()
    created = client.create_branch(appId=app_id, branchName=branch)["branch"]
    hosts = [f"{prefix}.{DOMAIN}"] if prefix else []
    assert created["customDomains"] == hosts
    assert set(verified(get(client, app_id))) == {"www", *([prefix] if prefix else [])}
    world.names.update(dict.fromkeys(hosts, HERE))
    world.pass_time()
    for host in hosts:
        site = world.site_of(host)
        assert site is not None
        assert site.app_id == app_id
    client.delete_branch(appId=app_id, branchName=branch)
    assert set(verified(get(client, app_id))) == {"www"}
    assert all(world.site_of(host) is None for host in hosts)


def test_automatic_subdomains_with_one_label_stay_apart(client: Any, app_id: str) -> None:
    associate(client, app_id, enableAutoSubDomain=True)
    for name in ("feature/x", "feature-x"):
        client.create_branch(appId=app_id, branchName=name)
    subs = get(client, app_id)["subDomains"]
    assert {sub["subDomainSetting"]["branchName"]: sub["subDomainSetting"]["prefix"] for sub in subs} == {
        "feature/x": "feature-x",
        "feature-x": "feature-x-2",
    }


def test_update_replaces_what_the_client_named(client: Any, app_id: str, world: World) -> None:
    client.create_branch(appId=app_id, branchName="next")
    associate(client, app_id, "www", "old", enableAutoSubDomain=True)
    world.names["www.example.com"] = HERE
    for _ in range(4):
        world.pass_time(3000)
    client.create_branch(appId=app_id, branchName="auto")
    updated = client.update_domain_association(
        appId=app_id,
        domainName=DOMAIN,
        subDomainSettings=[
            {"prefix": "www", "branchName": "next"},
            {"prefix": "new", "branchName": "main"},
        ],
    )["domainAssociation"]
    assert updated["domainStatus"] == "UPDATING"
    assert updated["updateStatus"] == "PENDING_DEPLOYMENT"
    assert verified(updated) == {"www": True, "new": False, "auto": False}
    site = world.site_of("www.example.com")
    assert site is not None
    assert site.label == "next"
    world.pass_time()
    done = get(client, app_id)
    assert (done["domainStatus"], done["updateStatus"]) == ("AVAILABLE", "UPDATE_COMPLETE")

    same = client.update_domain_association(appId=app_id, domainName=DOMAIN, enableAutoSubDomain=False)
    assert verified(same["domainAssociation"]) == {"www": True, "new": False, "auto": False}
    none = client.update_domain_association(appId=app_id, domainName=DOMAIN, subDomainSettings=[])
    assert verified(none["domainAssociation"]) == {"auto": False}


def test_an_answer_can_be_sent_back_as_an_update(preamp: InProcess, client: Any, app_id: str) -> None:
    created = associate(client, app_id, "", "www")
    # The JavaScript SDK sends what it is given; boto3 itself insists on a prefix.
    settings = [sub["subDomainSetting"] for sub in created["subDomains"]]
    client.meta.service_model.shape_for("SubDomainSetting").required_members.clear()
    again = client.update_domain_association(appId=app_id, domainName=DOMAIN, subDomainSettings=settings)
    assert [sub["subDomainSetting"] for sub in again["domainAssociation"]["subDomains"]] == settings


ARN = "arn:aws:acm:us-east-1:000000000000:certificate/1"


def test_custom_certificates(client: Any, app_id: str, world: World) -> None:
    with refused("BadRequestException", "customCertificateArn"):
        associate(client, app_id, "www", certificateSettings={"type": "CUSTOM"})
    custom = {"type": "CUSTOM", "customCertificateArn": ARN}
    created = associate(client, app_id, "www", certificateSettings=custom)
    assert created["certificate"] == custom
    world.pass_time()
    found = get(client, app_id)
    assert found["domainStatus"] == "PENDING_VERIFICATION", "there is nothing to request"
    assert "certificateVerificationDNSRecord" not in found
    world.names["www.example.com"] = HERE
    for _ in range(3):
        world.pass_time(3000)
    updated = client.update_domain_association(
        appId=app_id, domainName=DOMAIN, certificateSettings={"type": "AMPLIFY_MANAGED"}
    )["domainAssociation"]
    assert updated["updateStatus"] == "REQUESTING_CERTIFICATE"
    assert set(updated["certificate"]) == {"type", "certificateVerificationDNSRecord"}
    updated = client.update_domain_association(appId=app_id, domainName=DOMAIN, certificateSettings=custom)[
        "domainAssociation"
    ]
    assert updated["updateStatus"] == "IMPORTING_CUSTOM_CERTIFICATE"


def test_names_are_one_name_in_any_case(client: Any, app_id: str) -> None:
    created = associate(client, app_id, "WWW", domain="Example.Com.")
    assert created["domainName"] == DOMAIN
    assert get(client, app_id, "EXAMPLE.com")["subDomains"] == created["subDomains"]
    with refused("BadRequestException", "already associated with the app"):
        associate(client, app_id, "www", domain="EXAMPLE.COM")


def test_the_first_edge_name_is_where_records_point_to(tmp_path: Any) -> None:
    from tests.support.control import in_process

    with in_process(tmp_path / "data", edge_hosts="203.0.113.9, edge.example") as preamp:
        client = preamp.client()
        app_id = app_with_branch(client)
        associate(client, app_id, "www")
        World(preamp).pass_time()
        assert get(client, app_id)["subDomains"][0]["dnsRecord"] == "www CNAME edge.example"


@pytest.mark.parametrize("prefix", ["-a", "a-", "a..b", ".a", "a*", "*.a", "a b", "ü", "a" * 64])
def test_prefixes_that_no_host_can_have(client: Any, app_id: str, prefix: str) -> None:
    with refused("BadRequestException", "prefix"):
        associate(client, app_id, prefix)


def test_what_is_refused(client: Any, app_id: str) -> None:
    with refused("BadRequestException", "twice"):
        associate(client, app_id, "www", "WWW")
    with refused("BadRequestException", "longer than 253"):
        associate(client, app_id, ".".join(["a" * 60] * 4), domain="a-rather-long-name.example.com")
    with refused("NotFoundException", "Branch gone not found."):
        client.create_domain_association(
            appId=app_id, domainName=DOMAIN, subDomainSettings=[{"prefix": "", "branchName": "gone"}]
        )
    with refused("NotFoundException", "App d404 not found."):
        associate(client, "d404", "www")
    for own in (f"{app_id}.localhost", "shop.localhost"):
        with refused("BadRequestException", "itself gives out the names of localhost"):
            associate(client, app_id, "www", domain=own)
    assert client.list_domain_associations(appId=app_id)["domainAssociations"] == []


def test_missing_domains_are_not_found(client: Any, app_id: str) -> None:
    for call in ("get", "delete", "update"):
        with refused("NotFoundException", "Domain gone.example not found"):
            getattr(client, f"{call}_domain_association")(appId=app_id, domainName="gone.example")


def test_delete_answers_with_what_was_there(client: Any, app_id: str, world: World) -> None:
    associate(client, app_id, "www")
    world.names["www.example.com"] = HERE
    for _ in range(4):
        world.pass_time(3000)
    before = get(client, app_id)
    deleted = client.delete_domain_association(appId=app_id, domainName=DOMAIN)["domainAssociation"]
    assert deleted == before
    assert world.site_of("www.example.com") is None
    assert world.pass_time(3000) == 0


def test_deleting_a_branch_or_an_app_takes_its_hosts_along(client: Any, app_id: str, world: World) -> None:
    associate(client, app_id, "www")
    client.delete_branch(appId=app_id, branchName="main")
    assert get(client, app_id)["subDomains"] == []
    client.delete_app(appId=app_id)
    assert world.pass_time() == 0


def test_pages(client: Any, app_id: str) -> None:
    names = [f"site-{number}.example" for number in range(5)]
    for name in names:
        associate(client, app_id, "www", domain=name)
    pages = client.get_paginator("list_domain_associations").paginate(
        appId=app_id, PaginationConfig={"PageSize": 2}
    )
    assert [found["domainName"] for page in pages for found in page["domainAssociations"]] == names


def test_quotas(client: Any, app_id: str) -> None:
    with refused("LimitExceededException", "maximum number of subdomains"):
        associate(client, app_id, *(f"s{number}" for number in range(51)))
    for number in range(5):
        associate(client, app_id, "www", domain=f"site-{number}.example")
    with refused("LimitExceededException", "maximum number of domains"):
        associate(client, app_id, "www", domain="one-more.example")


def test_tags_of_a_domain(client: Any, app_id: str) -> None:
    arn = associate(client, app_id, "www")["domainAssociationArn"]
    client.tag_resource(resourceArn=arn, tags={"team": "web"})
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "web"}


def test_regions_are_worlds_of_their_own(preamp: InProcess, app_id: str) -> None:
    associate(preamp.client(), app_id, "www")
    with refused("NotFoundException", "App"):
        get(preamp.client(region="eu-west-1"), app_id)
