from __future__ import annotations

from dataclasses import replace

from preamp.model.keys import Key
from preamp.server.known_keys import TRUSTED_SECONDS, KnownKeys

KEY = Key(access_key_id="AKIA", secret="s", account="0" * 12, name="a", policy=None, enabled=True)


def test_a_key_is_looked_up_once_a_second_and_a_disabled_one_is_noticed_then() -> None:
    stored: dict[str, Key] = {}
    asked: list[str] = []
    clock = [0.0]

    def look_up(access_key_id: str) -> Key | None:
        asked.append(access_key_id)
        return stored.get(access_key_id)

    known = KnownKeys(look_up, clock=lambda: clock[0])
    assert known("AKIA") is None
    stored["AKIA"] = KEY
    assert known("AKIA") == KEY, "a new key works at once"
    assert known("AKIA") == KEY
    assert len(asked) == 2
    stored["AKIA"] = replace(KEY, enabled=False)
    clock[0] += TRUSTED_SECONDS
    found = known("AKIA")
    assert found is not None
    assert not found.enabled
    del stored["AKIA"]
    clock[0] += TRUSTED_SECONDS
    assert known("AKIA") is None
