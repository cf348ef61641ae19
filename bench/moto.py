"""The yardstick of the API: `moto_server`, which answers for many AWS services from memory.

It has no Amplify Hosting, so lists of other services stand for ListJobs, each with 50 entries: AppSync's
ListGraphqlApis is the most alike (the same protocol, objects of about the same size), SQS's ListQueues is the
quickest that was found (50 names, an eighth of the bytes).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.credentials import Credentials

from bench.environment import free_port, program
from bench.processes import wait_until_answers
from bench.wrk import Request, signed

REGION = "us-east-1"
KEY = Credentials("AKIDEXAMPLE", "secret")
ENTRIES = 50


@contextmanager
def serving() -> Iterator[str]:
    """The URL of a moto_server that runs for as long as the block."""
    port = free_port()
    process = subprocess.Popen(
        [program("moto_server"), "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_answers(f"{url}/moto-api/data.json", process)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def lists(url: str) -> dict[str, Request]:
    """Requests for lists of 50, by name, after making what they list."""
    sqs, appsync = _client("sqs", url), _client("appsync", url)
    for number in range(ENTRIES):
        sqs.create_queue(QueueName=f"queue-{number}")
        appsync.create_graphql_api(name=f"api-{number}", authenticationType="API_KEY")
    queues = Request(
        url=f"{url}/",
        method="POST",
        headers={"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Type": "application/x-amz-json-1.0"},
        body='{"MaxResults":50}',
    )
    apis = Request(url=f"{url}/v1/apis?maxResults={ENTRIES}")
    return {
        "moto_server: SQS ListQueues": signed(queues, KEY, service="sqs", region=REGION),
        "moto_server: AppSync ListGraphqlApis": signed(apis, KEY, service="appsync", region=REGION),
    }


def _client(service: str, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=KEY.access_key,
        aws_secret_access_key=KEY.secret_key,
    )
