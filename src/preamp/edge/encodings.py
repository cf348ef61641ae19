"""Choosing between a file and its compressed twins (RFC 9110, 12.5.3)."""

from __future__ import annotations

from functools import lru_cache

from preamp.model.releases import Body, Encoding, File

_OURS = (Encoding.BROTLI.value, Encoding.GZIP.value)
IDENTITY = "identity"


@lru_cache(maxsize=1024)
def preference(accept: str | None) -> tuple[str, ...]:
    """The codings that the client takes, best first; equal ones smallest first. At least identity."""
    if not accept:
        return (IDENTITY,)
    weights: dict[str, float] = {}
    for item in accept.lower().split(","):
        coding, *parameters = (part.strip() for part in item.split(";"))
        weights[{"x-gzip": "gzip"}.get(coding, coding)] = _weight(parameters)
    others = weights.get("*", 0.0)
    # Not named at all, identity is acceptable, but a coding that was asked for is preferred.
    identity = weights.get(IDENTITY, others if "*" in weights else 1e-9)
    ranked = [(weights.get(coding, others), coding) for coding in _OURS] + [(identity, IDENTITY)]
    chosen = [coding for weight, coding in sorted(ranked, key=lambda pair: -pair[0]) if weight > 0]
    # A client that refuses everything we have still gets the file rather than an error.
    return tuple(chosen) if IDENTITY in chosen else (*chosen, IDENTITY)


def choose(file: File, accept: str | None) -> tuple[Body, str | None]:
    """The bytes to send and their `Content-Encoding`."""
    if file.encodings:
        for coding in preference(accept):
            if coding == IDENTITY:
                break
            body = file.encodings.get(Encoding(coding))
            if body is not None:
                return body, coding
    return file.body, None


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
