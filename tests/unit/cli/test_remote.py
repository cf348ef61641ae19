from __future__ import annotations

import pytest

from preamp.cli.connection import Endpoint
from preamp.cli.errors import CommandError, Failure, Unreachable
from preamp.cli.remote import AppView, BranchView, Remote, site_url
from tests.support.fake_control import FakeControl, job, step


@pytest.fixture
def remote(control: FakeControl) -> Remote:
    return Remote(Endpoint(control_url=control.url, region="us-east-1"))


def test_app_by_id_and_by_name(control: FakeControl, remote: Remote) -> None:
    app_id = control.add_app("site")
    assert remote.app("site").app_id == app_id
    assert remote.app(app_id).name == "site"


def test_name_that_looks_like_an_id(control: FakeControl, remote: Remote) -> None:
    app_id = control.add_app("docs")
    assert remote.app("docs").app_id == app_id


def test_unknown_app_names_the_known_ones(control: FakeControl, remote: Remote) -> None:
    control.add_app("shop")
    with pytest.raises(CommandError, match=r"no app 'site' .*apps: shop"):
        remote.app("site")


def test_name_of_several_apps(control: FakeControl, remote: Remote) -> None:
    ids = [control.add_app("site"), control.add_app("site")]
    with pytest.raises(CommandError, match=f"{ids[0]}, {ids[1]}"):
        remote.app("site")


def test_job_with_its_steps(control: FakeControl, remote: Remote) -> None:
    steps = (step("BUILD", "FAILED", statusReason="no lock file"), step("DEPLOY", "CANCELLED"))
    control.jobs["1"] = [job("FAILED", *steps)]
    found = remote.job("d1", "main", "1")
    assert found.finished
    assert not found.succeeded
    assert found.reason == "no lock file"
    assert [(item.name, item.status.value) for item in found.steps] == [
        ("BUILD", "FAILED"),
        ("DEPLOY", "CANCELLED"),
    ]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "BadRequestException", CommandError),
        (401, "UnauthorizedException", CommandError),
        (503, "DependentServiceFailureException", Failure),
        (500, "InternalFailureException", Failure),
    ],
)
def test_refusals(
    control: FakeControl, remote: Remote, status: int, code: str, kind: type[Exception]
) -> None:
    control.refuse = (status, code, "what is wrong")
    with pytest.raises(kind, match=rf"what is wrong \({code}\)"):
        list(remote.apps())


def test_server_gone() -> None:
    endpoint = Endpoint(
        control_url="http://127.0.0.1:1", region="us-east-1", access_key_id="A", secret="B", origin="here"
    )
    with pytest.raises(Unreachable, match=r"http://127.0.0.1:1 \(from here\) does not answer"):
        list(Remote(endpoint).apps())


def test_no_key(control: FakeControl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CommandError, match="preamp env"):
        list(Remote(Endpoint(control_url=control.url, region="us-east-1")).apps())


def test_wrong_url() -> None:
    with pytest.raises(CommandError, match="AWS_ENDPOINT_URL_AMPLIFY"):
        Remote(Endpoint(control_url="127.0.0.1:7732", region="us-east-1"))


def test_proxies_do_not_stand_before_loopback(control: FakeControl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    assert list(Remote(Endpoint(control_url=control.url, region="us-east-1")).apps()) == []


def test_site_url() -> None:
    app = AppView(app_id="d1", name="site", default_domain="d1.localhost:7780", repository=None)
    branch = BranchView(name="feature/Über", display_name="feature/Über")
    assert site_url(app, branch) == "http://feature-ber.d1.localhost:7780/"
