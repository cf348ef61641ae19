from __future__ import annotations

import json

import pytest
from msgspec import Struct
from msgspec.structs import replace

from preamp.api import shapes
from preamp.aws.bind import compile_binder
from preamp.aws.serialise import compile_serialiser
from preamp.aws.service import ModelError
from tests.unit.aws.samples import output_value
from tests.unit.aws.wire import SERVICE


@pytest.mark.parametrize("name", sorted(SERVICE.operations))
def test_what_is_serialised_binds_back(name: str) -> None:
    shape, target = SERVICE.operations[name].output, shapes.OPERATION_TYPES[name][1]
    output = output_value(shape, target)
    assert compile_binder(shape, target)(json.loads(compile_serialiser(shape, target)(output))) == output


def test_none_is_left_out_and_empty_is_kept() -> None:
    shape = SERVICE.operations["ListJobs"].output
    encode = compile_serialiser(shape, shapes.ListJobsResult)
    empty = shapes.ListJobsResult(job_summaries=())
    assert encode(empty) == b'{"jobSummaries":[]}'
    assert encode(replace(empty, next_token="")) == b'{"jobSummaries":[],"nextToken":""}'


def test_types_that_do_not_mirror_their_shape_are_refused() -> None:
    with pytest.raises(ModelError, match="ListAppsResult does not mirror shape ListJobsResult"):
        compile_serialiser(SERVICE.operations["ListJobs"].output, shapes.ListAppsResult)
    with pytest.raises(ModelError, match="not a struct"):
        compile_binder(SERVICE.operations["GetApp"].input, dict)


def test_a_struct_that_would_say_something_else_is_refused() -> None:
    shape = SERVICE.operations["ListTagsForResource"].output

    class NullTags(Struct):
        tags: dict[str, str] | None = None

    with pytest.raises(ModelError, match=r"NullTags\.tags is not left out when it is None"):
        compile_serialiser(shape, NullTags)

    class LoudTags(Struct, omit_defaults=True, rename="pascal"):
        tags: dict[str, str] | None = None

    with pytest.raises(ModelError, match=r"LoudTags\.tags is encoded as Tags, not tags"):
        compile_serialiser(shape, LoudTags)


def test_what_may_be_absent_must_not_be_required_by_the_struct() -> None:
    class Strict(Struct):
        max_results: int
        next_token: str

    with pytest.raises(ModelError, match=r"Strict\.next_token must be optional"):
        compile_binder(SERVICE.operations["ListApps"].input, Strict)
