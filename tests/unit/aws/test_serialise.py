from __future__ import annotations

import json
from dataclasses import replace

import pytest

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
    with pytest.raises(ModelError, match="not a dataclass"):
        compile_binder(SERVICE.operations["GetApp"].input, dict)
