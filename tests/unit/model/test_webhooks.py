from __future__ import annotations

import re
import uuid

from preamp.model.webhooks import Webhook, new_token, new_webhook_id


def test_ids_are_random_uuids() -> None:
    ids = {new_webhook_id() for _ in range(100)}
    assert len(ids) == 100
    assert {uuid.UUID(one).version for one in ids} == {4}


def test_tokens_are_forty_letters_and_digits() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9]{40}", token) for token in tokens)


def test_repr_keeps_the_token() -> None:
    webhook = Webhook(
        webhook_id="w",
        app_id="d1",
        branch_id=1,
        branch_name="main",
        description="",
        token_sealed=b"sealed-bytes",
        created_ms=1,
        updated_ms=1,
    )
    assert "sealed-bytes" not in repr(webhook)
