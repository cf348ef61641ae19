from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from preamp.aws.authenticate import AnyKeyAuthenticator, SignatureAuthenticator
from preamp.aws.errors import WireError
from preamp.model.caller import Scope
from preamp.model.keys import Key
from tests.unit.aws.signing import NOW, SIGNED_AT, Signed, sign
from tests.unit.aws.wire import KEY

KEYS = {
    KEY.access_key_id: KEY,
    "AKIDDISABLED": Key(
        access_key_id="AKIDDISABLED",
        secret="s3cr3t",
        account="1" * 12,
        name="off",
        policy=None,
        enabled=False,
    ),
}
ARN = "arn%3Aaws%3Aamplify%3Aeu-west-1%3A123456789012%3Aapps%2Fd1%2Fbranches%2Ffeature%2Ffoo"
URLS = {
    "encoded branch": "http://127.0.0.1:7732/apps/d1/branches/feature%2Ffoo%20bar/jobs",
    "percent in branch": "http://127.0.0.1:7732/apps/d1/branches/100%25%2B~%C3%A9/jobs",
    "tag arn": f"http://127.0.0.1:7732/tags/{ARN}?tagKeys=b%20c&tagKeys=a&tagKeys=",
    "token": "http://127.0.0.1:7732/apps?nextToken=a%2Bb%2F%3D%3D~&maxResults=2",
    "no path": "http://127.0.0.1:7732/",
}


def verifier(now: float = NOW, skew_s: int = 300) -> SignatureAuthenticator:
    return SignatureAuthenticator(KEYS.get, service="amplify", skew_s=skew_s, clock=lambda: now)


def refusal(request, authenticator=None) -> WireError:
    with pytest.raises(WireError) as caught:
        (authenticator or verifier())(request)
    return caught.value


@pytest.mark.parametrize("url", URLS.values(), ids=URLS.keys())
@pytest.mark.parametrize("presign_s", [None, 600])
def test_what_botocore_signs_is_accepted(url: str, presign_s: int | None, monkeypatch) -> None:
    identity = verifier()(sign(monkeypatch, "GET", url, presign_s=presign_s).request())
    assert identity.key is KEY
    assert identity.scope == Scope(account="123456789012", region="eu-west-1")
    assert identity.arn == "arn:aws:iam::123456789012:user/ann"


def test_bodies_and_odd_headers_are_accepted(monkeypatch) -> None:
    headers = {
        "Content-Type": "application/json",
        "X-Custom": "  two   spaces ",
        "X-Latin": "caf\xe9",
        "X-Empty": "",
    }
    signed = sign(monkeypatch, "POST", "http://h/apps", body=b'{"name":"\xc3\xa9"}', headers=headers)
    assert verifier()(signed.request()).key is KEY


def test_a_session_token_is_ignored(monkeypatch) -> None:
    assert verifier()(sign(monkeypatch, token="session").request()).key is KEY
    assert verifier()(sign(monkeypatch, token="session", presign_s=60).request()).key is KEY


def test_a_date_header_instead_of_x_amz_date(monkeypatch) -> None:
    signed = sign(monkeypatch, headers={"Date": "is replaced by the signer"})
    assert "X-Amz-Date" not in signed.headers
    assert verifier()(signed.request()).key is KEY
    later = signed.with_header("Date", signed.headers["Date"].replace(":05 ", ":06 "))
    assert refusal(later.request()).code == "InvalidSignatureException"
    broken = signed.with_header("Date", "Someday, 99 Foo 2026")
    assert refusal(broken.request()).code == "IncompleteSignatureException"


def tampered(signed: Signed) -> dict[str, Signed]:
    authorization = signed.headers["Authorization"]
    return {
        "path": replace(signed, path=signed.path.replace("foo", "fop")),
        "decoded slash": replace(signed, path=signed.path.replace("%2F", "/")),
        "dot segments": replace(signed, path="/apps/x/../d1" + signed.path.removeprefix("/apps/d1")),
        "trailing slash": replace(signed, path=signed.path + "/"),
        "query value": replace(signed, query=signed.query.replace("maxResults=2", "maxResults=3")),
        "plus for %2B": replace(signed, query=signed.query.replace("%2B", "+")),
        "query added": replace(signed, query=signed.query + "&x=1"),
        "query removed": replace(signed, query="maxResults=2"),
        "method": replace(signed, method="DELETE"),
        "body": replace(signed, body=signed.body + b" "),
        "host": signed.with_header("Host", "127.0.0.1:7733"),
        "signed header": signed.with_header("X-Custom", "other"),
        "signature": signed.with_header("Authorization", authorization[:-1] + "g"),
        "empty signature digits": signed.with_header("Authorization", authorization[:-10]),
        "other region": signed.with_header("Authorization", authorization.replace("eu-west-1", "us-east-1")),
        "other secret's key": signed.with_header("X-Amz-Date", "20260102T030406Z"),
    }


@pytest.mark.parametrize(
    "what", tampered(Signed(method="", path="", query="", headers={"Authorization": ""}))
)
def test_tampering_is_refused(what: str, monkeypatch) -> None:
    signed = sign(monkeypatch, headers={"X-Custom": "value"})
    assert verifier()(signed.request()).key is KEY
    error = refusal(tampered(signed)[what].request())
    assert error.code == "InvalidSignatureException"
    assert error.message.startswith("The request signature we calculated does not match")


def test_the_order_of_the_query_is_free(monkeypatch) -> None:
    signed = sign(monkeypatch)
    turned = "&".join(reversed(signed.query.split("&")))
    assert verifier()(replace(signed, query=turned).request()).key is KEY


def test_wrong_secret(monkeypatch) -> None:
    assert refusal(sign(monkeypatch, secret="guess").request()).code == "InvalidSignatureException"


@pytest.mark.parametrize("access_key_id", ["AKIDUNKNOWN", "AKIDDISABLED", "with/slash"])
def test_unknown_and_disabled_keys(access_key_id: str, monkeypatch) -> None:
    error = refusal(sign(monkeypatch, access_key_id=access_key_id).request())
    assert error.code == "UnrecognizedClientException"
    assert error.message == "The security token included in the request is invalid."


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"service": "s3"}, "correct service: 'amplify'"),
        ({"region": "EU_WEST"}, "valid region"),
        ({"region": "x" * 33}, "valid region"),
    ],
)
def test_wrong_scope(more: dict[str, str], text: str, monkeypatch) -> None:
    error = refusal(sign(monkeypatch, **more).request())
    assert error.code == "InvalidSignatureException"
    assert text in error.message


def test_scope_date_and_terminator_must_fit(monkeypatch) -> None:
    signed = sign(monkeypatch)
    authorization = signed.headers["Authorization"]
    other_day = signed.with_header("Authorization", authorization.replace("/20260102/", "/20260103/"))
    assert "Date in Credential scope" in refusal(other_day.request()).message
    aws5 = signed.with_header("Authorization", authorization.replace("aws4_request", "aws5_request"))
    assert "valid terminator" in refusal(aws5.request()).message


@pytest.mark.parametrize(
    ("offset_s", "text"), [(301, "Signature expired"), (-301, "not yet current"), (300, None), (-300, None)]
)
def test_clock_skew(offset_s: int, text: str | None, monkeypatch) -> None:
    request = sign(monkeypatch).request()
    if text is None:
        assert verifier(NOW + offset_s)(request).key is KEY
        return
    error = refusal(request, verifier(NOW + offset_s))
    assert error.code == "InvalidSignatureException"
    assert text in error.message


def test_presigned_urls_expire(monkeypatch) -> None:
    request = sign(monkeypatch, presign_s=900).request()
    assert verifier(NOW + 900)(request).key is KEY
    assert "Signature expired" in refusal(request, verifier(NOW + 901)).message
    assert "not yet current" in refusal(request, verifier(NOW - 301)).message


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("maxResults=2", "maxResults=3", "InvalidSignatureException"),
        ("X-Amz-Expires=900", "X-Amz-Expires=901", "InvalidSignatureException"),
        ("X-Amz-Expires=900", "X-Amz-Expires=604801", "IncompleteSignatureException"),
        ("X-Amz-Expires=900", "X-Amz-Expires=-1", "IncompleteSignatureException"),
        ("X-Amz-Expires=900", "X-Amz-Expires=900&X-Amz-Expires=9000", "IncompleteSignatureException"),
        ("X-Amz-Expires=900", "", "IncompleteSignatureException"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=date", "InvalidSignatureException"),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "IncompleteSignatureException"),
        ("X-Amz-Signature=", "X-Amz-Signature=0", "InvalidSignatureException"),
        ("X-Amz-Date=2026", "X-Amz-Date=x026", "IncompleteSignatureException"),
    ],
)
def test_tampered_presigned_urls(old: str, new: str, code: str, monkeypatch) -> None:
    signed = sign(monkeypatch, presign_s=900)
    assert old in signed.query
    assert refusal(replace(signed, query=signed.query.replace(old, new)).request()).code == code


def test_presigned_posts_are_refused(monkeypatch) -> None:
    signed = sign(monkeypatch, "POST", "http://h/apps", presign_s=900)
    assert refusal(signed.request()).code == "IncompleteSignatureException"


def test_missing_and_broken_credentials(monkeypatch) -> None:
    signed = sign(monkeypatch)
    assert refusal(signed.with_header("Authorization", None).request()).code == (
        "MissingAuthenticationTokenException"
    )
    for value in (
        "",
        "Bearer x",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b",
        "AWS4-HMAC-SHA256 x",
    ):
        assert refusal(signed.with_header("Authorization", value).request()).code == (
            "IncompleteSignatureException"
        )
    error = refusal(signed.with_header("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e").request())
    assert error.message == (
        "Authorization header requires 'SignedHeaders' parameter. "
        "Authorization header requires 'Signature' parameter."
    )
    assert "'X-Amz-Date' or a 'Date'" in refusal(signed.with_header("X-Amz-Date", None).request()).message
    assert "ISO-8601" in refusal(signed.with_header("X-Amz-Date", "yesterday").request()).message
    twice = ((b"authorization", signed.headers["Authorization"].encode()),)
    assert "more than one" in refusal(signed.request(extra=twice)).message


def test_host_and_date_must_be_signed(monkeypatch) -> None:
    signed = sign(monkeypatch)
    authorization = signed.headers["Authorization"]
    for old, text in (("host;", "'Host' must be"), (";x-amz-date", "'x-amz-date' must be")):
        request = signed.with_header("Authorization", authorization.replace(old, "")).request()
        assert text in refusal(request).message
    assert "one Host" in refusal(signed.request(extra=((b"host", b"evil"),))).message
    unsorted = authorization.replace("host;x-amz-date", "x-amz-date;host")
    assert "sorted" in refusal(signed.with_header("Authorization", unsorted).request()).message


def test_a_stated_payload_hash_must_be_the_bodys(monkeypatch) -> None:
    signed = sign(monkeypatch, "POST", "http://h/apps", body=b"{}")
    for stated in ("UNSIGNED-PAYLOAD", "0" * 64):
        error = refusal(signed.with_header("X-Amz-Content-SHA256", stated).request())
        assert error.code == "InvalidSignatureException"
        assert "x-amz-content-sha256" in error.message
    digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    headers = {"X-Amz-Content-SHA256": digest}
    assert verifier()(sign(monkeypatch, "POST", "http://h/apps", body=b"{}", headers=headers).request())


def test_replay_on_another_day(monkeypatch) -> None:
    request = sign(monkeypatch, at=SIGNED_AT - dt.timedelta(days=1)).request()
    assert "Signature expired" in refusal(request).message


class TestAnyKey:
    authenticator = AnyKeyAuthenticator(account="000000000000", region="us-east-1")

    def test_every_key_is_an_administrator_of_the_default_account(self, monkeypatch) -> None:
        identity = self.authenticator(sign(monkeypatch, access_key_id="test", secret="whatever").request())
        assert identity.scope == Scope(account="000000000000", region="eu-west-1")
        assert identity.key.policy is None

    def test_twelve_digits_are_the_account(self, monkeypatch) -> None:
        identity = self.authenticator(sign(monkeypatch, access_key_id="111122223333").request())
        assert identity.scope.account == "111122223333"

    def test_an_odd_region_is_the_default_one(self, monkeypatch) -> None:
        identity = self.authenticator(sign(monkeypatch, region="ODD REGION").request())
        assert identity.scope.region == "us-east-1"

    def test_no_credentials_are_not_any_key(self, monkeypatch) -> None:
        request = sign(monkeypatch).with_header("Authorization", None).request()
        assert refusal(request, self.authenticator).code == "MissingAuthenticationTokenException"
