"""Environment variables and small rules that apps and branches share."""

from __future__ import annotations

from collections.abc import Mapping

from preamp.model.errors import BadRequest


def checked_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """What is stored: Terraform clears the map by sending `{"": ""}`, so an empty name is dropped.

    Raises BadRequest for the reserved prefix (behaviour reference, section 5.4).
    """
    for name in variables:
        if name.startswith("AWS"):
            raise BadRequest(
                f"The environment variable {name[:100]} is not allowed: names beginning with AWS are "
                "reserved."
            )
        if "=" in name or "\0" in name or "\0" in variables[name]:
            raise BadRequest(
                f"The environment variable {name[:100]!r} is not allowed: a name must not contain '=', "
                "and neither name nor value the zero byte."
            )
    return {name: value for name, value in variables.items() if name}


def given(new: str | None, old: str | None) -> str | None:
    """A text member of an update: absent and empty both leave what was there."""
    return new or old
