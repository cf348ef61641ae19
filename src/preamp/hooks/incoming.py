"""Start a build because somebody called a webhook's URL."""

from __future__ import annotations

import hmac

from preamp.api.services import Services
from preamp.engine.accept import accept_job
from preamp.model.caller import Scope
from preamp.model.errors import BadRequest, NotFound
from preamp.model.jobs import Commit, Job, JobType
from preamp.model.times import now_ms
from preamp.model.webhooks import Webhook
from preamp.store import apps, branches, hosting_options, webhooks

HEAD = "HEAD"
_NO_TOKEN = "-" * 40


class WrongToken(Exception):
    """There is no webhook with this id and this token; which of the two is wrong is not told."""


def find_proven(services: Services, *, webhook_id: str, token: str) -> tuple[Scope, Webhook]:
    """The webhook whose id and token these are. Raises WrongToken."""
    with services.database.read() as conn:
        found = webhooks.find_webhook(conn, webhook_id)
    expected = services.master.open(found[1].token_sealed, owner=found[1].webhook_id) if found else _NO_TOKEN
    # Compared also when there is no such webhook, so that the time tells nothing.
    right = hmac.compare_digest(expected.encode(), token.encode("utf-8", "replace"))
    if found is None or not right:
        raise WrongToken("The webhook's id or token is wrong.")
    return found


def start_build(services: Services, scope: Scope, proven: Webhook) -> Job:
    """A pending job that builds the head of the webhook's branch, after what the branch has queued.

    Raises BadRequest when there is nothing to build from, NotFound when the webhook was deleted meanwhile,
    DependentServiceFailure when the disk is full.
    """
    services.refuse_when_full()
    now = now_ms()
    with services.database.write() as tx:
        # Again, under the lock: it may have been moved to another branch or deleted meanwhile.
        webhook = webhooks.get_webhook(tx.conn, scope, proven.webhook_id)
        app = apps.get_app(tx.conn, scope, webhook.app_id) if webhook else None
        branch = branches.get_branch_by_id(tx.conn, webhook.branch_id) if webhook else None
        if app is None or branch is None:
            raise NotFound("The webhook was deleted.")
        if app.config.repository is None:
            raise BadRequest(
                "The app has no repository to build: connect one with UpdateApp, or use CreateDeployment."
            )
        hosting = hosting_options.get_app_hosting(tx.conn, app.app_id)
        return accept_job(
            tx,
            services.engine,
            scope=scope,
            branch=branch,
            type=JobType.WEB_HOOK,
            commit=Commit(commit_id=HEAD, time_ms=now),
            reason=None,
            now=now,
            queue=True,
            supersede=hosting is None or hosting.supersede_pushes,
        )
