from __future__ import annotations

import pytest

from preamp.aws.errors import WireError
from preamp.aws.router import Router
from preamp.aws.service import ModelError, compile_service, load_service
from preamp.model.errors import BadRequest
from tests.unit.aws.wire import SERVICE

ROUTER = Router(SERVICE)


def test_a_branch_with_a_slash_is_one_label() -> None:
    match = ROUTER.match("GET", b"/apps/d1/branches/feature%2Ffoo%20bar/jobs")
    assert match.operation.name == "ListJobs"
    assert match.labels == {"appId": "d1", "branchName": "feature/foo bar"}


def test_an_encoded_arn_is_one_label() -> None:
    raw = b"/tags/arn%3Aaws%3Aamplify%3Aus-east-1%3A123456789012%3Aapps%2Fd1%2Fbranches%2Fa%252Fb"
    match = ROUTER.match("DELETE", raw)
    assert match.operation.name == "UntagResource"
    assert match.labels == {"resourceArn": "arn:aws:amplify:us-east-1:123456789012:apps/d1/branches/a%2Fb"}


def test_fixed_segments_win_over_labels_of_the_same_length() -> None:
    assert ROUTER.match("POST", b"/apps/d1/branches/b/deployments").operation.name == "CreateDeployment"
    assert ROUTER.match("POST", b"/apps/d1/branches/b/deployments/start").operation.name == "StartDeployment"
    assert ROUTER.match("DELETE", b"/apps/d1/branches/b/jobs/1/stop").operation.name == "StopJob"


@pytest.mark.parametrize("name", sorted(SERVICE.operations))
def test_every_operation_is_reached(name: str) -> None:
    operation = SERVICE.operations[name]
    path = operation.uri.replace("{", "").replace("}", "").encode()
    assert ROUTER.match(operation.method, path).operation is operation


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", b"/"),
        ("GET", b""),
        ("GET", b"/apps/"),
        ("GET", b"//apps"),
        ("GET", b"/apps//branches"),
        ("GET", b"/apps/d1/"),
        ("GET", b"/apps/../apps"),
        ("GET", b"/apps/./branches"),
        ("GET", b"/apps/d1/../d2"),
        ("GET", b"/%61pps"),
        ("GET", b"/Apps"),
        ("PUT", b"/apps"),
        ("get", b"/apps"),
        ("HEAD", b"/apps"),
        ("OPTIONS", b"*"),
        ("GET", b"/apps/d1/branches/feature/foo"),
        ("GET", b"http://host/apps"),
    ],
)
def test_everything_else_is_unknown(method: str, path: bytes) -> None:
    with pytest.raises(WireError) as caught:
        ROUTER.match(method, path)
    assert caught.value.code == "UnknownOperationException"


@pytest.mark.parametrize("label", [b"%", b"%2", b"%zz", b"a%", b"%ff", b"%c3%28", b"%ed%a0%80", b"\xff"])
def test_bad_encoding_names_the_label(label: bytes) -> None:
    with pytest.raises(BadRequest, match="path label appId"):
        ROUTER.match("GET", b"/apps/" + label)


def test_models_that_need_more_are_refused_at_load() -> None:
    def model(**shape):
        return {
            "metadata": {"protocol": "rest-json", "endpointPrefix": "x", "apiVersion": "1"},
            "operations": {
                "Get": {"http": {"method": "GET", "requestUri": "/x"}, "input": {"shape": "In"}},
            },
            "shapes": {"In": {"type": "structure", "members": {"a": {"shape": "A"}}}, "A": shape},
        }

    for shape in (
        {"type": "blob"},
        {"type": "list", "member": {"shape": "A"}},
        {"type": "string", "pattern": "[a[b]]"},
    ):
        with pytest.raises((ModelError, ValueError)):
            compile_service(model(**shape))
    greedy = model(type="string")
    greedy["operations"]["Get"]["http"]["requestUri"] = "/{a+}"
    with pytest.raises(ModelError, match="not supported"):
        Router(compile_service(greedy))


def test_another_rest_json_service_loads() -> None:
    """The layer is not about Amplify: it takes other services whose traits it knows."""
    service = load_service("codestar-notifications")
    assert Router(service).match("POST", b"/listTargets").operation.name == "ListTargets"
