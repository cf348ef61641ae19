from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
import zstandard

from preamp.model.apps import Platform
from preamp.release import bundle as bundles
from preamp.release.bundle import find_bundle
from preamp.release.errors import PublishError, VerifyError
from preamp.release.publish import Limits, Published, publish
from preamp.release.verify import verify
from preamp.store.blobs import LocalBlobs
from preamp.store.manifests import read_manifest

LIMITS = Limits(max_bytes=1_000_000, max_files=100, max_compute_bytes=100_000)
COMPUTE = {"kind": "Compute", "src": "default"}
MANIFEST = {
    "version": 1,
    "routes": [
        {"path": "/*.*", "target": {"kind": "Static"}, "fallback": COMPUTE},
        {"path": "/*", "target": COMPUTE},
    ],
    "computeResources": [{"name": "default", "runtime": "nodejs22.x", "entrypoint": "index.js"}],
    "framework": {"name": "own", "version": "1.0.0"},
}


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return make(tmp_path / "out")


def put(folder: Path, path: str, data: bytes = b"x") -> Path:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def make(out: Path) -> Path:
    put(out, "deploy-manifest.json", json.dumps(MANIFEST).encode())
    put(out, "static/logo.svg", b"<svg/>")
    put(out, "static/a/app.js", b"run()")
    put(out, "compute/default/index.js", b"listen()")
    put(out, "compute/default/node_modules/x/x.js", b"x" * 1000)
    return out


def find(out: Path, platform: Platform = Platform.WEB_COMPUTE) -> bundles.Bundle | None:
    return find_bundle(out, platform=platform, warn=lambda _: None)


def run(out: Path, blobs: LocalBlobs, limits: Limits = LIMITS) -> Published:
    return publish(out, blobs=blobs, limits=limits, bundle=find(out))


def members(done: Published, blobs: LocalBlobs) -> dict[str, tarfile.TarInfo]:
    assert done.manifest.compute is not None
    data = blobs.read(done.manifest.compute.archive.blob)
    with (
        zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)) as plain,
        tarfile.open(fileobj=plain, mode="r|") as tar,
    ):
        return {item.name: item for item in tar}


# What is a bundle


@pytest.mark.parametrize("platform", [Platform.WEB, Platform.WEB_DYNAMIC])
def test_another_platform_serves_a_bundle_as_files_and_says_so(out, platform):
    said: list[str] = []
    assert find_bundle(out, platform=platform, warn=said.append) is None
    (text,) = said
    assert "update-app --platform WEB_COMPUTE" in text
    assert f"platform is {platform}" in text


def test_files_without_a_manifest_are_nothing_special_on_web(tmp_path):
    put(tmp_path, "index.html")
    said: list[str] = []
    assert find_bundle(tmp_path, platform=Platform.WEB, warn=said.append) is None
    assert said == []


def test_a_static_site_on_compute_is_served_with_a_warning(tmp_path):
    put(tmp_path, "index.html")
    said: list[str] = []
    assert find_bundle(tmp_path, platform=Platform.WEB_COMPUTE, warn=said.append) is None
    assert "--platform WEB`" in said[0]


def test_no_manifest_and_no_page_fails_with_amplifys_words(tmp_path):
    put(tmp_path, "server.js")
    with pytest.raises(
        PublishError, match=r"^CustomerError: Failed to find the deploy-manifest.json file in"
    ):
        find(tmp_path)


def test_warnings_of_the_manifest_are_told(out):
    text = json.dumps(MANIFEST).replace("nodejs22.x", "nodejs16.x")
    put(out, "deploy-manifest.json", text.encode())
    said: list[str] = []
    assert find_bundle(out, platform=Platform.WEB_COMPUTE, warn=said.append) is not None
    assert "computeResources[0].runtime is 'nodejs16.x'" in said[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "cannot be used: the document is not JSON"),
        (b"\xff", "is not UTF-8 text"),
        (b'{"version": 2}', "version is 2"),
        (b" " * (1 << 20) + b"{}", "more than 1048576 bytes"),
    ],
)
def test_a_manifest_that_cannot_be_used(out, text, reason):
    put(out, "deploy-manifest.json", text)
    with pytest.raises(PublishError, match=f"deploy-manifest.json .*{reason}"):
        find(out)


@pytest.mark.parametrize(
    ("gone", "reason"),
    [
        ("static", r"routes\[0\].target.kind is 'Static', but the bundle has no folder static/"),
        ("compute/default", r"computeResources\[0\].name is 'default', but the bundle has no folder"),
        (
            "compute/default/index.js",
            r"computeResources\[0\].entrypoint is 'index.js', but the bundle has no",
        ),
    ],
)
def test_what_the_manifest_speaks_of_has_to_be_there(out, gone, reason):
    (out / gone).rename(out.parent / "elsewhere")
    with pytest.raises(PublishError, match=reason):
        find(out)


def test_manifest_and_entrypoint_may_not_lie_outside(out):
    outside = put(out.parent, "outside.js")
    (out / "compute/default/index.js").unlink()
    (out / "compute/default/index.js").symlink_to(outside)
    with pytest.raises(PublishError, match="entrypoint is"):
        find(out)
    (out / "compute/default/index.js").unlink()
    (out / "compute/default/index.js").symlink_to("index.js")
    with pytest.raises(PublishError, match="entrypoint is"):
        find(out)
    (out / "deploy-manifest.json").rename(out.parent / "real.json")
    (out / "deploy-manifest.json").symlink_to(out.parent / "real.json")
    with pytest.raises(PublishError, match="leads out of the output"):
        find(out)


# What is published


def test_static_files_are_the_files_and_the_bundle_is_the_server(out, blobs):
    done = run(out, blobs)
    assert list(done.manifest.files) == ["a/app.js", "logo.svg"]
    assert json.loads(done.manifest.deploy_manifest or "") == MANIFEST
    server = done.manifest.compute
    assert server is not None
    assert (server.name, server.entrypoint, server.runtime) == ("default", "index.js", "nodejs22.x")
    assert (server.file_count, done.file_count) == (5, 5)
    assert server.total_bytes == done.total_bytes == sum(p.stat().st_size for p in out.rglob("*.*"))
    assert list(members(done, blobs)) == [
        "compute",
        "deploy-manifest.json",
        "static",
        "compute/default",
        "compute/default/index.js",
        "compute/default/node_modules",
        "compute/default/node_modules/x",
        "compute/default/node_modules/x/x.js",
        "static/a",
        "static/logo.svg",
        "static/a/app.js",
    ]
    assert read_manifest(blobs, done.manifest_body) == done.manifest
    assert verify(blobs, done.manifest) == []


def test_a_lost_archive_is_found(out, blobs):
    done = run(out, blobs)
    assert done.manifest.compute is not None
    assert done.manifest.compute.archive in set(done.manifest.bodies), "what is kept, and backed up"
    blobs.delete(done.manifest.compute.archive.blob)
    with pytest.raises(VerifyError, match="the server's archive is missing"):
        verify(blobs, done.manifest)


def test_equal_bundles_are_one_blob(out, blobs, tmp_path):
    again = make(tmp_path / "again")
    for path in again.rglob("*"):
        os.utime(path, (1, 1))
    assert run(out, blobs).manifest_body == run(again, blobs).manifest_body


def test_modes_and_inner_links_are_kept_and_nothing_else(out, blobs):
    (out / "compute/default/index.js").chmod(0o4751)
    (out / "compute/default/empty").mkdir()
    (out / "compute/default/files").symlink_to("../../static")
    (out / "compute/default/node_modules/.bin").mkdir()
    (out / "compute/default/node_modules/.bin/gone").symlink_to("../gone/cli.js")
    found = members(run(out, blobs), blobs)
    assert found["compute/default/index.js"].mode == 0o751
    assert found["compute/default/empty"].isdir()
    assert found["compute/default/files"].linkname == "../../static"
    assert found["compute/default/node_modules/.bin/gone"].linkname == "../gone/cli.js"
    for item in found.values():
        assert (item.mtime, item.uid, item.gid, item.uname, item.gname) == (0, 0, 0, "", "")


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../../../x", "../../../out/static", "../../ladder/../../x"]
)
def test_links_that_lead_out_are_refused(out, blobs, target):
    (out / "ladder").symlink_to("static/a")
    (out / "compute/default/way").symlink_to(target)
    with pytest.raises(PublishError, match=r"compute/default/way is a symbolic link to .* outside"):
        run(out, blobs)


def test_a_link_that_leads_out_by_another_link_is_refused(out, blobs):
    # By its text it stays inside: three up from compute/default/deep, which really is static.
    (out / "compute/default/deep").symlink_to("../../static")
    (out / "compute/default/way").symlink_to("deep/../../secret")
    with pytest.raises(PublishError, match=r"compute/default/way is a symbolic link to .* outside"):
        run(out, blobs)


def test_circles_and_devices_are_refused(out, blobs):
    loop = out / "compute/default/loop"
    loop.symlink_to("loop")
    with pytest.raises(PublishError, match="compute/default/loop is a symbolic link that leads in a circle"):
        run(out, blobs)
    loop.unlink()
    os.mkfifo(out / "compute/default/pipe")
    with pytest.raises(PublishError, match="compute/default/pipe is a named pipe"):
        run(out, blobs)


def test_static_files_may_be_links_within_the_bundle_only(out, blobs):
    (out / "static/code.js").symlink_to("../compute/default/index.js")
    assert "code.js" in run(out, blobs).manifest.files
    (out / "static").rename(out.parent / "moved")
    (out / "static").symlink_to(out.parent / "moved")
    with pytest.raises(PublishError, match=r"static is a symbolic link to .* outside"):
        run(out, blobs)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(max_bytes=1_000_000, max_files=100, max_compute_bytes=1007), "the setting max_compute_bytes"),
        (Limits(max_bytes=1_000_000, max_files=4), "more than 4 files"),
        (Limits(max_bytes=1100, max_files=100), "exceeds the max allowed size of 1100 bytes"),
    ],
)
def test_too_much_of_it_is_refused(out, blobs, limits, reason):
    with pytest.raises(PublishError, match=reason):
        run(out, blobs, limits)
    assert not list((blobs.folder / "incoming").iterdir())


def test_files_of_the_site_do_not_count_as_the_server(out, blobs):
    put(out, "static/large.bin", b"x" * 200_000)
    assert run(out, blobs).manifest.compute is not None


def test_a_bundle_without_a_server_is_files_and_routes(out, blobs):
    routes = [{"path": "/*", "target": {"kind": "Static"}}]
    text = json.dumps({**MANIFEST, "routes": routes, "computeResources": []})
    put(out, "deploy-manifest.json", text.encode())
    done = run(out, blobs)
    assert done.manifest.compute is None
    assert done.manifest.deploy_manifest == text
    assert (done.file_count, done.total_bytes) == (2, 11)


def test_the_work_can_be_stopped_while_the_server_is_packed(out, blobs):
    class Stopped(Exception):
        pass

    calls = []

    def tick() -> None:
        calls.append(1)
        if len(calls) == 5:  # two files came before
            raise Stopped

    with pytest.raises(Stopped):
        publish(out, blobs=blobs, limits=LIMITS, bundle=find(out), tick=tick)
