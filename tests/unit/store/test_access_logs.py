from __future__ import annotations

import asyncio
import csv
import io
import multiprocessing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from preamp.store import access_logs
from preamp.store.access_logs import COLUMNS, HEADER, AccessLog, AccessLogFolder, Window

NOON = int(datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC).timestamp())
ALL = Window(first_s=NOON - 3 * 3600, last_s=NOON + 3 * 3600)


def add(
    log: AccessLog, name: str = "www.example.com", *, at: float = NOON, app: str = "d1", **more: Any
) -> None:
    values: dict[str, Any] = {
        "host": name,
        "method": "GET",
        "path": "/",
        "status": 200,
        "result": "Hit",
        "sent": 500,
        "client": "192.0.2.1",
    }
    log.add(app, name, at=at, **{**values, **more})


def written(folder: Path, domain: str = "example.com", window: Window = ALL, app: str = "d1") -> list[str]:
    text = b"".join(AccessLogFolder(folder).csv(app, domain, window))
    assert text.startswith(HEADER)
    return text[len(HEADER) :].decode().splitlines()


def row(line: str) -> dict[str, str]:
    values = line.split(",")
    assert len(values) == len(COLUMNS) == 33
    return dict(zip(COLUMNS, values, strict=True))


def test_the_header_is_the_one_that_amplify_delivers() -> None:
    assert HEADER.decode() == (
        "date,time,x-edge-location,sc-bytes,c-ip,cs-method,cs\\(Host\\),cs-uri-stem,sc-status,"
        "cs\\(Referer\\),cs\\(User-Agent\\),cs-uri-query,cs\\(Cookie\\),x-edge-result-type,x-edge-request-id,"
        "x-host-header,cs-protocol,cs-bytes,time-taken,x-forwarded-for,ssl-protocol,ssl-cipher,"
        "x-edge-response-result-type,cs-protocol-version,fle-status,fle-encrypted-fields,c-port,"
        "time-to-first-byte,x-edge-detailed-result-type,sc-content-type,sc-content-len,sc-range-start,"
        "sc-range-end\n"
    )


def test_every_column(tmp_path: Path) -> None:
    log = AccessLog(tmp_path)
    log.add(
        "d1",
        "*.example.com",
        host="shop.example.com",
        method="POST",
        path="/buy",
        query="a=1&b=2",
        status=206,
        result="Miss",
        sent=1234,
        client="2001:db8::1",
        port=50123,
        request_id="req-1",
        protocol="https",
        version="HTTP/1.1",
        received=321,
        taken=0.12345,
        first_byte=0.0015,
        referer="https://example.com/a",
        user_agent="curl/8.5.0",
        cookie="a=b;c=d",
        forwarded_for="198.51.100.1",
        ssl_protocol="TLSv1.3",
        ssl_cipher="TLS_AES_128_GCM_SHA256",
        content_type="text/html",
        content_length=1000,
        range_start=0,
        range_end=999,
        at=NOON + 5.9,
    )
    log.close()
    (line,) = written(tmp_path)
    assert line == (
        "2026-03-01,12:00:05,PREAMP,1234,2001:db8::1,POST,*.example.com,/buy,206,https://example.com/a,"
        "curl/8.5.0,a=1&b=2,a=b;c=d,Miss,req-1,shop.example.com,https,321,0.123,198.51.100.1,TLSv1.3,"
        "TLS_AES_128_GCM_SHA256,Miss,HTTP/1.1,-,-,50123,0.002,Miss,text/html,1000,0,999"
    )


def test_what_is_missing_is_a_dash(tmp_path: Path) -> None:
    log = AccessLog(tmp_path)
    add(log)
    log.close()
    found = row(written(tmp_path)[0])
    for column in ("cs(Referer)", "cs(User-Agent)", "cs-uri-query", "cs(Cookie)", "ssl-cipher", "fle-status"):
        assert found[column] == "-"
    assert (found["sc-content-len"], found["sc-range-start"]) == ("-", "-")


@pytest.mark.parametrize(
    ("given", "delivered"),
    [
        ("Mozilla/5.0 (X11; Linux)", "Mozilla/5.0%20\\(X11;%20Linux\\)"),
        ("(KHTML, like Gecko)", "\\(KHTML%20like%20Gecko\\)"),
        ("a\nb\r\tc", "a%0Ab%0D%09c"),
        ('x"y\\z', "x%22y%5Cz"),
        ("Zürich", "Z%FCrich"),
        ("日", "%E6%97%A5"),
        ("/a%20b/c~d_e-f.g", "/a%20b/c~d_e-f.g"),
        ("1,2,3", "123"),
        (",", ""),
    ],
)
def test_texts_cannot_break_the_form(tmp_path: Path, given: str, delivered: str) -> None:
    log = AccessLog(tmp_path)
    add(log, user_agent=given, path=given, cookie=given, content_type=given)
    log.close()
    lines = written(tmp_path)
    assert len(lines) == 1
    found = row(lines[0])
    assert found["cs(User-Agent)"] == found["cs-uri-stem"] == found["cs(Cookie)"] == delivered
    assert next(csv.reader(io.StringIO(lines[0])))[10] == delivered


def test_files_are_by_app_hour_and_name(tmp_path: Path) -> None:
    log = AccessLog(tmp_path)
    add(log, at=NOON - 0.5)
    add(log, at=NOON)
    add(log, "example.com", at=NOON + 3599.9)
    add(log, "main.d2.localhost", app="d2")
    log.close()
    files = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.csv"))
    assert files == [
        "d1/2026-03-01T11/www.example.com.csv",
        "d1/2026-03-01T12/example.com.csv",
        "d1/2026-03-01T12/www.example.com.csv",
        "d2/2026-03-01T12/main.d2.localhost.csv",
    ]


def test_a_domain_has_the_hosts_below_it_and_no_others(tmp_path: Path) -> None:
    log = AccessLog(tmp_path)
    for name in ("example.com", "www.example.com", "*.example.com", "notexample.com", "www.example.com.evil"):
        add(log, name)
    add(log, "www.example.com", app="d2")
    log.close()
    hosts = [row(line)["cs(Host)"] for line in written(tmp_path)]
    assert sorted(hosts) == ["*.example.com", "example.com", "www.example.com"]
    assert [row(line)["cs(Host)"] for line in written(tmp_path, "www.example.com")] == ["www.example.com"]


def test_both_ends_of_the_time_are_included(tmp_path: Path) -> None:
    log = AccessLog(tmp_path)
    for second in range(-5, 6):
        add(log, at=NOON + second)
    log.close()
    window = Window(first_s=NOON - 2, last_s=NOON + 1)
    times = [row(line)["time"] for line in written(tmp_path, window=window)]
    assert times == ["11:59:58", "11:59:59", "12:00:00", "12:00:01"]


def test_nothing_there_is_the_header_alone(tmp_path: Path) -> None:
    assert written(tmp_path / "none") == []


def test_lines_that_a_full_disk_cut_are_left_out(tmp_path: Path) -> None:
    log = AccessLog(tmp_path)
    add(log)
    log.close()
    (file,) = tmp_path.rglob("*.csv")
    whole = file.read_text()
    file.write_text(whole + whole[:60] + whole + whole)
    assert written(tmp_path) == [whole.rstrip("\n")] * 2


def test_lines_are_written_soon_without_being_asked(tmp_path: Path) -> None:
    async def main() -> None:
        log = AccessLog(tmp_path)
        task = asyncio.create_task(log.keep_flushing())
        add(log)
        assert not list(tmp_path.iterdir())
        async with asyncio.timeout(30):
            while not written(tmp_path):  # noqa: ASYNC110 (files tell nobody)
                await asyncio.sleep(0.02)
            for _ in range(access_logs.FLUSH_LINES):
                add(log)
            while len(written(tmp_path)) <= access_logs.FLUSH_LINES:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        add(log)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        log.close()

    asyncio.run(main())
    assert len(written(tmp_path)) == access_logs.FLUSH_LINES + 2


def _write_many(folder: str, mark: str) -> None:
    log = AccessLog(Path(folder))
    for _ in range(200):
        for _ in range(50):
            add(log, user_agent=mark * 50)
        log.close()


def test_processes_share_a_file(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write_many, args=(str(tmp_path), mark)) for mark in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    (file,) = tmp_path.rglob("*.csv")
    agents = [row(line)["cs(User-Agent)"] for line in file.read_text().splitlines()]
    assert sorted(set(agents)) == ["a" * 50, "b" * 50]
    assert len(agents) == 20_000


def test_a_disk_that_refuses_loses_lines_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "access"
    folder.write_text("a file is in the way")
    log = AccessLog(folder)
    for _ in range(3):
        add(log)
        log.close()
    assert caplog.text.count("the access log cannot be written") == 1
    folder.unlink()
    add(log)
    log.close()
    assert len(written(folder)) == 1


def test_old_hours_are_deleted_whole(tmp_path: Path) -> None:
    log = AccessLog(tmp_path)
    for hour in range(4):
        add(log, at=NOON + hour * 3600)
        add(log, at=NOON + hour * 3600, app="d2")
    log.close()
    folder = AccessLogFolder(tmp_path)
    assert folder.delete_before((NOON + 2 * 3600 + 1800) * 1000) == 4
    assert sorted(path.name for path in tmp_path.glob("d1/*")) == ["2026-03-01T14", "2026-03-01T15"]
    assert AccessLogFolder(tmp_path / "none").delete_before(NOON) == 0


def test_long_values_are_not_remembered(tmp_path: Path) -> None:
    log = AccessLog(tmp_path)
    fixed: dict[str, Any] = {"host": "h", "method": "GET", "path": "/", "query": "", "status": 200}
    line = log.repeated("d1", "h", **fixed, result="Hit", sent=1, content_type="", content_length=None)

    def told(value: bytes) -> str:
        words: dict[str, Any] = {"referer": value, "user_agent": None, "cookie": value, "forwarded_for": None}
        return "".join(log.wording(line, received=1, **words).parts)

    known = access_logs._remembered.cache_info().currsize
    for number in range(100):
        assert told(b"( %d" % number + b"x" * 10_000).count(f"\\(%20{number}x") == 2
    assert len(log._fields) == 1
    assert access_logs._remembered.cache_info().currsize == known
    for _ in range(2):
        assert told(b"(short").count("\\(short") == 2
    assert len(log._fields) == 2
    log.close()


def test_a_repeated_line_is_the_same_line(tmp_path: Path) -> None:
    log = AccessLog(tmp_path)
    fixed: dict[str, Any] = {
        "host": "www.example.com:80",
        "method": "GET",
        "path": "/a,b c",
        "query": "x=1",
        "status": 200,
        "result": "Hit",
        "sent": 700,
        "content_type": "text/html; charset=utf-8",
        "content_length": 5,
        "protocol": "https",
    }
    headers = {"referer": "http://r/", "user_agent": "A (b, c)", "cookie": "d=e; f", "forwarded_for": "::1"}
    line = log.repeated("d1", "www.example.com", **fixed)
    log.add("d1", "www.example.com", client="192.0.2.1", port=7, received=90, **fixed, **headers)
    raw = {name: value.encode() for name, value in headers.items()}
    wording = log.wording(line, received=90, **raw)
    for _ in range(2):
        wording.write("192.0.2.1", "7")
    log.add("d1", "www.example.com", client="192.0.2.1", port=7, received=90, **fixed)
    bare = log.wording(line, received=90, **dict.fromkeys(headers))
    bare.write("192.0.2.1", "7")
    log.close()
    bare.write("192.0.2.1", "7")  # after a flush
    log.close()
    now = int(datetime.now(UTC).timestamp())
    window = Window(first_s=now - 60, last_s=now + 60)
    first, second, third, fourth, fifth, sixth = (
        text.split(",", 2)[2] for text in written(tmp_path, "www.example.com", window)
    )
    assert first == second == third
    assert fourth == fifth == sixth


def test_the_memory_of_header_values_is_bounded(tmp_path: Path) -> None:
    log = AccessLog(tmp_path)
    fixed: dict[str, Any] = {"host": "h", "method": "GET", "path": "/", "query": "", "status": 200}
    more: dict[str, Any] = {"result": "Hit", "sent": 1, "content_type": "", "content_length": None}
    line = log.repeated("d1", "www.example.com", **fixed, **more)
    for number in range(access_logs.MOST_FIELDS * 2):
        log.wording(
            line,
            received=1,
            referer=None,
            user_agent=b"%d" % number,
            cookie=None,
            forwarded_for=None,
        )
    assert len(log._fields) <= access_logs.MOST_FIELDS + 4
