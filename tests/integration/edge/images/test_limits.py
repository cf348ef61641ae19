"""Bombs, damaged files, and programs that break: an error each time, and the next image is made."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preamp.edge.images.operation import Operation
from preamp.edge.images.source import MOST_BYTES, too_large
from preamp.model.deploy_manifest import ImageFormat
from tests.support.images import PNG, jpeg, large_png, photo, plain, png, quarters, running_optimiser


@pytest.fixture(scope="module")
def optimiser(tmp_path_factory):
    with running_optimiser(tmp_path_factory.mktemp("limits"), seconds=60.0) as running:
        yield running


def ask(optimiser, source, query="width=100", **how):
    optimiser.files["/source"] = source
    answer = optimiser.ask(f"url=/source&{query}", **how)
    return answer.status, answer.body.decode("latin-1").strip() if answer.status != 200 else ""


async def until(condition):
    while not condition():  # noqa: ASYNC110 - nobody tells when another process has ended
        await asyncio.sleep(0.005)


def patched_jpeg(width, height):
    """The sizes in the header of a small JPEG replaced."""
    data = jpeg(quarters(40, 20))
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[place + 4 :]


@pytest.mark.parametrize(
    ("source", "pixels"),
    [
        (lambda: large_png(60_000, 60_000, whole=False), "60000x60000"),
        (lambda: large_png(30_000, 30_000), "30000x30000"),
        (lambda: large_png(9001, 1), "9001x1"),
        (lambda: large_png(1, 9001), "1x9001"),
        (lambda: large_png(9000, 9000), "9000x9000"),
        (lambda: patched_jpeg(60_000, 60_000), "60000x60000"),
    ],
)
@pytest.mark.parametrize("query", ["width=100", "width=100&trim"])
def test_bombs_are_not_unpacked(optimiser, source, pixels, query):
    status, text = ask(optimiser, source(), query)
    assert (status, text.partition(":")[0]) == (413, f"the source has {pixels} pixels")


def test_the_largest_image_that_is_allowed(optimiser):
    source = large_png(9000, 5555)
    assert len(source) < 100_000
    for query in ("width=100", "width=100&trim", "width=100&rotate=90", "width=100&gamma=2"):
        assert ask(optimiser, source, query) == (200, "")
    assert ask(optimiser, source, "width=100&rotate=45")[0] == 413


def test_what_is_made_has_limits_too(optimiser):
    small = png(quarters(40, 20))
    for edges in ("9000_0_0_0", "0_9000_0_0", "9000_9000_9000_9000"):
        status, text = ask(optimiser, small, f"width=50&extend={edges}")
        assert (status, text.startswith("extend makes an image that has ")) == (400, True)
    noise = random.Random(1).randbytes(1200 * 1200 * 3)
    pyvips = pytest.importorskip("pyvips")
    image = pyvips.Image.new_from_memory(noise, 1200, 1200, 3, "uchar").copy(interpretation="srgb")
    source = jpeg(image, Q=60)
    status, text = ask(optimiser, source, "width=2000&format=png")
    assert (status, text.endswith("bytes: at most 4000000 are allowed")) == (413, True)
    assert ask(optimiser, source, "width=2000&format=webp") == (200, "")


def test_a_source_has_a_limit(optimiser):
    assert ask(optimiser, bytes(MOST_BYTES + 1))[0] == 413
    padded = png(quarters()) + bytes(MOST_BYTES - len(png(quarters())))
    assert ask(optimiser, padded) == (200, "")

    async def local(target):
        raise too_large()

    answer = optimiser.ask("url=/source&width=100", local=local)
    assert (answer.status, answer.body) == (413, b"the source is too large: at most 11000000 are allowed\n")


@pytest.mark.parametrize("form", ["png", "jpeg", "webp", "avif"])
@pytest.mark.parametrize("query", ["width=100", "width=100&extract=0_0_50_50"])
def test_truncated_images(optimiser, form, query):
    image = photo(300, 200)
    data = {
        "png": lambda: png(image),
        "jpeg": lambda: jpeg(image),
        "webp": image.webpsave_buffer,
        "avif": lambda: image.heifsave_buffer(compression="av1", effort=0),
    }[form]()
    for part in (0.1, 0.5, 0.9):
        status, text = ask(optimiser, data[: int(len(data) * part)], query)
        assert (status, text) == (400, "the source is damaged, or no image that can be read"), part


def test_garbage(optimiser):
    rest = random.Random(2).randbytes(5000)
    for head in (
        PNG,
        b"\xff\xd8\xff",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miafMA1B",
    ):
        assert ask(optimiser, head + rest)[0] == 400, head
    assert ask(optimiser, rest)[0] == 400
    assert len(optimiser.images.transformers.pids) <= 2


def test_flipped_bytes_never_break_more_than_their_image(optimiser):
    chance = random.Random(3)
    for data in (png(photo(64, 48)), jpeg(photo(64, 48)), photo(64, 48).webpsave_buffer()):
        for _ in range(15):
            damaged = bytearray(data)
            for _ in range(chance.randint(1, 20)):
                damaged[chance.randrange(12, len(damaged))] = chance.randrange(256)
            assert ask(optimiser, bytes(damaged))[0] in {200, 400, 413}


def test_an_image_that_takes_too_long(tmp_path):
    with running_optimiser(tmp_path, seconds=0.05) as hasty:
        slow = jpeg(photo(4000, 4000))
        assert ask(hasty, slow, "width=4000&format=avif&rotate=1") == (
            504,
            "the image took longer than 0.05 s",
        )
        assert hasty.images.transformers.pids == []
        assert ask(hasty, slow, "width=4000&format=avif&rotate=1")[0] == 504


def test_killed_in_the_middle(tmp_path):
    with running_optimiser(tmp_path) as running:
        running.files["/slow"] = jpeg(photo(4000, 4000))
        changes = running.images.transformers

        async def run():
            query = "url=/slow&width=4000&format=avif&rotate=1&median=25"
            work = asyncio.ensure_future(running.respond(query))
            await until(lambda: changes.pids)
            os.kill(changes.pids[0], signal.SIGKILL)
            return await work

        answer = running.run(run())
        assert (answer.status, answer.body) == (500, b"the image could not be made\n")
        assert ask(running, png(plain(20, 20, 1, 2, 3))) == (200, "")


@pytest.mark.parametrize("noticed", [False, True])
def test_killed_while_it_rests(optimiser, noticed):
    assert ask(optimiser, png(plain(20, 20, 3, 2, int(noticed)))) == (200, "")
    changes = optimiser.images.transformers
    for pid in changes.pids:
        os.kill(pid, signal.SIGKILL)
    if noticed:
        optimiser.run(until(lambda: not any(item.lives for item in changes._idle)))
    assert ask(optimiser, png(plain(20, 20, 3, 3, int(noticed)))) == (200, "")


@pytest.mark.parametrize("program", ["/bin/false", "/bin/cat", "/nowhere/python"])
def test_a_program_that_does_not_start(tmp_path, monkeypatch, caplog, program):
    monkeypatch.setattr("preamp.edge.images.processes.sys.executable", program)
    with running_optimiser(tmp_path) as running:
        for _ in range(3):  # no slot is lost
            assert ask(running, png(quarters())) == (500, "the image could not be made")
        assert running.images.transformers.pids == []
        monkeypatch.undo()
        assert ask(running, png(quarters())) == (200, "")
    assert "the program that changes images does not start" in caplog.text


@pytest.mark.parametrize(
    "reply", ["b'\\2\\0\\0\\0\\xff\\xff\\xff\\xff{}'", "b'\\2\\0\\0\\0\\0\\0\\0\\0[]'", "b'x'"]
)
def test_a_program_that_was_taken_over_cannot_fill_the_memory(tmp_path, monkeypatch, reply):
    script = tmp_path / "program"
    hello = "b'\\2\\0\\0\\0\\0\\0\\0\\0{}'"
    lines = f"import os, time\nos.write(1, {hello})\nos.read(0, 9)\nos.write(1, {reply})\nos.close(1)\n"
    script.write_text(f"#!{sys.executable}\n{lines}time.sleep(60)\n")
    script.chmod(0o755)
    monkeypatch.setattr("preamp.edge.images.processes.sys.executable", str(script))
    with running_optimiser(tmp_path / "images") as running:
        assert ask(running, png(quarters())) == (500, "the image could not be made")
        assert running.images.transformers.pids == []


def test_programs_end_when_there_is_nothing_to_do(tmp_path):
    with running_optimiser(tmp_path) as running:
        running.images.transformers._idle_seconds = 0.1
        assert ask(running, png(quarters())) == (200, "")
        (pid,) = running.images.transformers.pids

        running.run(until(lambda: not running.images.transformers.pids))
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert ask(running, png(quarters()), "width=50") == (200, "")


def test_programs_are_replaced_after_many_images(tmp_path, monkeypatch):
    monkeypatch.setattr("preamp.edge.images.processes.MOST_IMAGES", 2)
    with running_optimiser(tmp_path, processes=1) as running:
        seen = set()
        for number in range(3):
            assert ask(running, png(plain(20, 20, number, 2, 2))) == (200, "")
            seen |= set(running.images.transformers.pids)
        assert len(seen) == 2


def test_what_a_program_may_do(optimiser):
    """As the kernel tells it, of every thread of a program that has just made an image."""
    assert ask(optimiser, jpeg(photo(600, 600)), "width=400&blur=2") == (200, "")
    pid = optimiser.images.transformers.pids[-1]
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    limits = {line[:26].strip(): line[26:].split()[:2] for line in lines}
    assert limits["Max address space"] == [str(2 * 1024**3)] * 2
    assert limits["Max file size"] == ["0", "0"]
    assert int(limits["Max cpu time"][0]) < 600
    threads = list(Path(f"/proc/{pid}/task").iterdir())
    assert len(threads) > 1
    for thread in threads:
        text = (thread / "status").read_text()
        status = dict(line.split(":\t", 1) for line in text.splitlines())
        assert status["NoNewPrivs"] == "1"
        if os.geteuid() == 0:
            assert status["Uid"].split() == ["65534"] * 4
            assert status["Groups"].split() == []
            assert int(status["CapEff"], 16) == 0
            assert (thread / "ns/net").readlink() != Path("/proc/self/ns/net").readlink()


def test_without_files_and_network():
    """What the machine offers holds; what it does not is told."""
    code = """
import os, socket
from preamp.edge.images.confine import confine
missing = " ".join(confine())
for what, work in (
    ("Landlock", lambda: os.open("/etc/passwd", os.O_RDONLY)),
    ("Landlock", lambda: os.listdir("/")),
    ("network", lambda: socket.socket().connect((b"127.0.0.1", PORT))),
):
    try:
        work()
    except OSError:
        continue
    assert what in missing, what
print("confined without", missing or "nothing")
"""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        code = code.replace("PORT", str(listener.getsockname()[1]))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.startswith("confined without")) == (0, True), done.stderr


def test_threads_that_would_stay_free_are_noticed():
    code = "import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True).start(); "
    code += "from preamp.edge.images.confine import confine; confine()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "there are threads already" in done.stderr


def test_nothing_of_libvips_in_the_edge():
    """A decoder that is not loaded cannot be attacked."""
    code = "import sys, preamp.edge.images.images; sys.exit('pyvips' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_time_hardly_depends_on_what_visitors_choose(optimiser):
    """Every change at its most expensive value ends within the usual time limit."""
    source = jpeg(photo(1000, 750))
    start = time.monotonic()
    for query in (
        "blur=1000",
        "blur=8",
        "median=25",
        "sharpen=10",
        "normalize",
        "rotate=1",
        "extend=999_999_999_999",
    ):
        assert ask(optimiser, source, f"width=1000&{query}") == (200, ""), query
    assert time.monotonic() - start < 60


NAMES = st.sampled_from([*Operation.__dataclass_fields__, "format", "quality", "url", "w"])
WORDS = [
    "",
    "true",
    "cover",
    "contain",
    "fill",
    "inside",
    "outside",
    "top",
    "left",
    "webp",
    "jpeg",
    "png",
    "f80",
]
NUMBERS = ["0", "0.5", "1", "2.2", "16", "50", "300", "-45", "359.9", "1_1_1_1", "0_0_16_16", "9_9_9_9"]
VALUES = st.sampled_from([*WORDS, *NUMBERS, "/a.png", "%2f", "https://x/"]) | st.text(max_size=5)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(NAMES, VALUES), max_size=6), width=st.sampled_from(["16", "50", "300"]))
def test_any_query_gets_an_answer(optimiser, pairs, width):
    optimiser.files["/a.png"] = png(quarters(40, 20))
    query = "&".join(["url=/a.png", f"width={width}", *(f"{name}={value}" for name, value in pairs)])
    answer = optimiser.ask(query, formats=(ImageFormat.WEBP, ImageFormat.JPEG, ImageFormat.PNG))
    assert answer.status in {200, 400, 404, 413}
    assert answer.body


@settings(max_examples=100, deadline=None)
@given(query=st.text(max_size=60), accept=st.none() | st.text(max_size=30))
def test_any_text_gets_an_answer(optimiser, query, accept):
    assert optimiser.ask(query, accept=accept).status == 400


@settings(max_examples=50, deadline=None)
@given(url=st.text(max_size=30))
def test_any_url_gets_an_answer(optimiser, url):
    answer = optimiser.ask(f"width=100&url={quote(url)}")
    files = {name.strip("/") for name in optimiser.files}  # of other tests; Hypothesis finds their names
    assert answer.status in {400, 404} or url.strip("/") in files
