"""The generated cases of the wire layer's conformance test, answered by the real operations on a database.

What is out of bounds is BadRequestException whatever the state; what is within is answered with success or
with an error that the operation's model has, never with a 5xx; every success has its output's shape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from preamp.aws.asgi import AwsApp
from preamp.aws.validate import violations
from preamp.model.caller import Scope
from preamp.model.quotas import Quota
from preamp.server.control import bindings
from preamp.store import quotas
from tests.support.control import SERVICE, in_process
from tests.unit.aws.samples import wire_value
from tests.unit.aws.test_conformance import MODEL, REMOVED, SHAPES, Case, cases, minimal, put, send
from tests.unit.aws.wire import KEY, everyone_is_ann

SCOPE = Scope(account=KEY.account, region="us-east-1")
APP, BRANCH, JOB = (wire_value(SHAPES, shape) for shape in ("AppId", "BranchName", "JobId"))
UNMODELLED = {
    # The model lacks it although an unknown app or branch has to be told (behaviour reference, 3.1).
    "NotFoundException",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AwsApp, Any]]:
    with in_process(tmp_path_factory.mktemp("conformance") / "data") as it:
        services = it.control.services
        done_by = bindings(services, inline=True)
        with services.database.write() as tx:
            for quota in Quota:
                quotas.set_limit(tx.conn, SCOPE, quota, None)
        aws = AwsApp(service=SERVICE, operations=done_by, authenticator=everyone_is_ann)
        yield aws, services
        aws.close()


def prefix_left_out(case: Case) -> bool:
    """AWS leaves the empty prefix of a subdomain out, so Preamp takes it so, too."""
    return case.path[-1:] == ("prefix",) and case.value in (None, REMOVED)


def ensure_rows(services: Any) -> None:
    """The app, branch, job, ... that the generated inputs name; what is there already stays."""
    with services.database.write() as tx:
        execute = tx.conn.exec_driver_sql
        execute(
            "INSERT OR IGNORE INTO apps (app_id, account, region, config, tags, created_ms, updated_ms) "
            "VALUES (?, ?, ?, ?, '{}', 1, 1)",
            (APP, SCOPE.account, SCOPE.region, '{"name": "site"}'),
        )
        execute(
            "INSERT OR IGNORE INTO branches (app_id, name, label, config, tags, created_ms, updated_ms, "
            "last_job) VALUES (?, ?, ?, '{}', '{}', 1, 1, 500)",
            (APP, BRANCH, BRANCH),
        )
        execute(
            "INSERT OR IGNORE INTO backend_environments "
            "(app_id, name, stack_name, deployment_artifacts, created_ms, updated_ms) "
            "VALUES (?, 'xxx', 's', 'd', 1, 1)",
            (APP,),
        )
        branch_id = execute("SELECT branch_id FROM branches WHERE name = ?", (BRANCH,)).scalar()
        execute(
            "INSERT OR IGNORE INTO webhooks (webhook_id, app_id, branch_id, description, token_sealed, tags, "
            "created_ms, updated_ms) VALUES ('xxx', ?, ?, '', ?, '{}', 1, 1)",
            (APP, branch_id, services.master.seal("t", owner="xxx")),
        )
        execute(
            "INSERT OR IGNORE INTO jobs (branch_id, number, app_id, account, region, type, state, commit_id, "
            "created_ms, started_ms, attempt) VALUES (?, ?, ?, ?, ?, 'RELEASE', 'PENDING', 'HEAD', 1, 1, 0)",
            (branch_id, int(JOB), APP, SCOPE.account, SCOPE.region),
        )


@pytest.mark.parametrize("operation", sorted(MODEL["operations"]))
def test_every_case(operation: str, app: tuple[AwsApp, Any]) -> None:
    aws, services = app
    raw = MODEL["operations"][operation]
    modelled = {error["shape"] for error in raw.get("errors", ())}
    changes_state = raw["http"]["method"] != "GET"
    wrong: list[str] = []
    answers: Counter[str] = Counter()
    ensure_rows(services)
    send(aws, "CreateDomainAssociation", wire_value(SHAPES, "CreateDomainAssociationRequest"))
    for case in (Case("smallest valid input", (), None, True), *cases(operation)):
        if case.path and case.value is None and raw["http"]["method"] != "POST":
            continue
        if changes_state and case.accepted:
            ensure_rows(services)
        document = minimal(operation, case)
        answer = send(aws, operation, put(document, case) if case.path else document)
        answers[answer.error or "success"] += 1
        if not case.accepted and not prefix_left_out(case):
            good = answer.error == "BadRequestException"
        elif answer.status == 200:
            good = not list(violations(SERVICE.operations[operation].output, answer.json))
        else:
            good = answer.status < 500 and answer.error in modelled | UNMODELLED
        if not good:
            wrong.append(f"{case.title}: {answer.status} {answer.body[:300]!r}")
    assert not wrong, "\n".join(wrong[:20])
    assert answers["success"] or operation in NEVER_IN_THESE_ROWS, answers


NEVER_IN_THESE_ROWS = {
    "GetArtifactUrl",  # the id would have to be signed
    "ListTagsForResource",  # the generated ARNs name nothing
    "TagResource",
    "UntagResource",
    "StartJob",  # the app has no repository
    "CreateDeployment",  # the branch has an unfinished job
    "StartDeployment",
}
