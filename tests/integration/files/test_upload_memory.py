"""A large upload goes through the control process without staying in its memory."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from preamp.store.database import open_sqlite
from preamp.store.folder import DataFolder
from preamp.store.keys import first_administrator
from preamp.store.sealing import MasterKey
from tests.support.control import app_with_branch

MIB = 1024 * 1024
SIZE = 200 * MIB


@pytest.fixture
def control(tmp_path: Path) -> Iterator[tuple[int, str, Path]]:
    """(process id, URL, data folder) of `preamp control`."""
    data = tmp_path / "data"
    process = subprocess.Popen(
        [sys.executable, "-m", "preamp", "control", "--data", str(data), "--control", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"http://\S+", said)
        assert found, said
        yield process.pid, found[0], data
    finally:
        process.terminate()
        assert process.wait(60) == 0
        assert process.stdout is not None
        process.stdout.close()


def client_of(url: str, data: Path) -> Any:
    folder = DataFolder(data)
    database = open_sqlite(folder.database)
    try:
        with database.read() as conn:
            key = first_administrator(conn, MasterKey.load(folder.master_key))
    finally:
        database.close()
    assert key is not None
    return boto3.client(
        "amplify",
        endpoint_url=url,
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret,
        region_name="us-east-1",
    )


def peak(pid: int) -> int:
    """The most memory that the process ever had, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def put(url: str, megabytes: int) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=120)
    try:
        connection.putrequest("PUT", f"{parts.path}?{parts.query}")
        connection.putheader("Content-Length", str(megabytes * MIB))
        connection.endheaders()
        for number in range(megabytes):
            connection.send(bytes([number % 251]) * MIB)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def test_memory_stays_flat(control: tuple[int, str, Path]) -> None:
    pid, url, data = control
    client = client_of(url, data)
    app_id = app_with_branch(client)
    created = client.create_deployment(appId=app_id, branchName="main")
    assert put(created["zipUploadUrl"], 8) == 200
    before = peak(pid)
    assert put(created["zipUploadUrl"], SIZE // MIB) == 200
    assert peak(pid) - before < 32 * MIB
