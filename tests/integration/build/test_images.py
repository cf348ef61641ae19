"""`_CUSTOM_IMAGE`."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from preamp.build import images
from preamp.build.errors import SandboxError
from preamp.build.images import ImageError, image_folder, import_layers
from preamp.build.logs import BuildLog
from preamp.build.sandbox import Tier, probe
from tests.integration.build.support import Builder, Log, Repository, spec
from tests.support.registry import archive_of, push, registry

pytestmark = pytest.mark.needs("git", "bwrap")
NAME = "registry.test/tools:1"
PROGRAMS = ("bash", "cat", "ls", "mkdir", "true")


@pytest.fixture
def folder(tmp_path: Path, builder: Builder, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where builds of this test have their images; readable by builds also when we are root."""
    path = Path("/var/tmp") / f"preamp-test-images-{os.getpid()}"
    path.mkdir()
    path.chmod(0o755)
    monkeypatch.setattr(images, "SHARED", path)
    builder.folders = type(builder.folders)(
        mirrors=builder.folders.mirrors,
        caches=builder.folders.caches,
        toolchains=builder.folders.toolchains,
        images=path,
    )
    yield path
    subprocess.run(["rm", "-rf", path], check=True)


def root_of_host_programs(archive: Path) -> None:
    """A root file system with Bash and little else, out of the machine's own files."""
    archive.write_bytes(gzip.compress(archive_of(PROGRAMS, {"etc/os-release": "NAME=my-own\n"})))


def test_a_build_sees_the_image(
    repository: Repository, builder: Builder, folder: Path, tmp_path: Path
) -> None:
    root_of_host_programs(tmp_path / "root.tar.gz")
    import_layers([tmp_path / "root.tar.gz"], image_folder(folder, NAME))
    look = """mkdir dist; cat /etc/os-release > dist/x; ls /usr/bin > dist/programs
    echo > /usr/bin/new; echo > /etc/new; git --version"""
    repository.commit({"amplify.yml": spec(look, "true")})
    with pytest.raises(Exception, match="command not found"):
        builder.run(repository.folder, app_variables={"_CUSTOM_IMAGE": NAME})
    repository.commit({"amplify.yml": spec(look.replace("git --version", "true"))})
    result = builder.run(repository.folder, app_variables={"_CUSTOM_IMAGE": NAME})
    assert builder.output["x"] == "NAME=my-own\n"
    assert builder.output["programs"].split() == sorted(PROGRAMS)
    assert f"Build image: {NAME}" in result.context
    assert not (image_folder(folder, NAME) / "rootfs/usr/bin/new").exists()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry with an image of three layers, one that is packed by zstd, and one without Bash."""
    scratch = tmp_path_factory.mktemp("images")
    with registry(scratch / "registry") as address:
        base = archive_of(
            PROGRAMS, {"etc/os-release": "NAME=one\n", "opt/a/x": "", "opt/b/x": "", "gone": ""}
        )
        less = archive_of((), {".wh.gone": "", "opt/a/.wh..wh..opq": "", "opt/a/new": ""})
        more = archive_of((), {"etc/os-release": "NAME=three\n"})
        push(f"{address}/my/tools:3", [base, less, more], scratch)
        push(f"{address}/my/tools:zstd", [base], scratch, "--dest-compress-format", "zstd")
        push(f"{address}/tiny", [archive_of(["cat"])], scratch)
        yield address


@pytest.mark.needs("skopeo", "docker-registry")
def test_an_image_of_a_registry(repository: Repository, builder: Builder, folder: Path, host: str) -> None:
    look = "mkdir dist; cat /etc/os-release > dist/x; ls -d /gone /opt/*/* > dist/found 2> /dev/null || true"
    repository.commit({"amplify.yml": spec(look)})
    name = f"{host}/my/tools:3"
    builder.run(repository.folder, app_variables={"_CUSTOM_IMAGE": name})
    assert f"# Fetching image {name}" in builder.log.text
    assert builder.output == {"x": "NAME=three\n", "found": "/opt/a/new\n/opt/b/x\n"}
    builder.run(repository.folder, app_variables={"_CUSTOM_IMAGE": name})
    assert "# Fetching image" not in builder.log.text, "once is enough"
    packed = f"{host.replace('localhost', '127.0.0.1')}/my/tools:zstd"
    builder.run(repository.folder, app_variables={"_CUSTOM_IMAGE": packed})
    assert builder.output == {"x": "NAME=one\n", "found": "/gone\n/opt/a/x\n/opt/b/x\n"}


@pytest.mark.needs("skopeo", "docker-registry")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("{host}/my/tools:4", "the registry has no such image: check its name and tag.*manifest unknown"),
        ("{host}/none", "the registry has no such image: check its name and tag.*manifest unknown"),
        ("{host}/UPPER", "that is not the name of an image.*must be lowercase"),
        ("localhost:1/x", "check the name and the network.*connection refused"),
        ("{host}/tiny", "has no /bin/bash, which builds need"),
    ],
)
def test_why_an_image_cannot_be_had(
    repository: Repository, builder: Builder, folder: Path, host: str, name: str, told: str
) -> None:
    repository.commit({"index.html": ""})
    with pytest.raises(ImageError, match=told):
        builder.run(repository.folder, app_variables={"_CUSTOM_IMAGE": name.format(host=host)})
    assert not list(folder.glob("*.fetch-*"))


@pytest.mark.needs("skopeo", "docker-registry")
def test_other_machines_need_tls(host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same registry under a name that is not plainly this machine's."""
    monkeypatch.setattr(images, "_LOOPBACK", re.compile("never"))
    log = BuildLog(Log())
    with pytest.raises(ImageError, match="HTTP response to HTTPS client"):
        asyncio.run(images.provide_image(tmp_path, f"{host}/my/tools:3", owner=None, log=log))


@pytest.mark.parametrize(
    ("name", "loopback"),
    [("localhost/x", True), ("localhost:5000/x", True), ("127.0.0.1:5000/x", True), ("local.test/x", False),
     ("localhost.test/x", False),
     ("127.0.0.1.test/x", False), ("docker.io/localhost/x", False), ("localhost", False)],
)  # fmt: skip
def test_only_registries_of_this_machine_need_none(name: str, loopback: bool) -> None:
    assert bool(images._LOOPBACK.match(name)) is loopback


@pytest.mark.parametrize("name", ["amplify:al2", "amplify:al2023"])
def test_amplifys_own_images_are_the_machine(repository: Repository, builder: Builder, name: str) -> None:
    repository.commit({"index.html": ""})
    builder.run(repository.folder, app_variables={"_CUSTOM_IMAGE": name})
    assert f"# Image {name}: the machine's own tools stand in for it" in builder.log.text


def test_an_image_that_cannot_be_had(
    repository: Repository, builder: Builder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({"index.html": ""})
    monkeypatch.setattr(images.shutil, "which", lambda _: None)
    with pytest.raises(ImageError, match=r"preamp images import registry\.test/tools:1"):
        builder.run(repository.folder, app_variables={"_CUSTOM_IMAGE": NAME})
    with pytest.raises(ImageError, match="is not the name of an image"):
        builder.run(repository.folder, app_variables={"_CUSTOM_IMAGE": "--help"})


def test_weaker_sandboxes_have_no_images(
    repository: Repository, builder: Builder, folder: Path, tmp_path: Path
) -> None:
    root_of_host_programs(tmp_path / "root.tar.gz")
    import_layers([tmp_path / "root.tar.gz"], image_folder(folder, NAME))
    builder.sandbox = probe(only=Tier.NONE, insecure_no_sandbox=True)
    repository.commit({"amplify.yml": spec("true")})
    with pytest.raises(SandboxError, match="custom images need bubblewrap"):
        builder.run(repository.folder, app_variables={"_CUSTOM_IMAGE": NAME})


def layer(path: Path, entries: list[tuple[str, str, str]]) -> Path:
    """(name, kind, content or target) of each entry."""
    kinds = {"dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "dev": tarfile.BLKTYPE}
    with tarfile.open(path, "w") as tar:
        for name, kind, text in entries:
            info = tarfile.TarInfo(name)
            if kind == "file":
                info.size, info.mode = len(text), 0o4600
                tar.addfile(info, io.BytesIO(text.encode()))
            else:
                info.type, info.linkname = kinds[kind], text
                tar.addfile(info)
    return path


def test_layers(tmp_path: Path) -> None:
    first = layer(
        tmp_path / "1.tar",
        [("a", "file", "a"), ("b/c", "file", "c"), ("b/d", "file", "d"), ("e/f", "file", "f"),
         ("l", "link", "a"), ("h", "hard", "a"), ("disk", "dev", "")],
    )  # fmt: skip
    second = layer(
        tmp_path / "2.tar",
        [
            (".wh.a", "file", ""),
            ("b/.wh..wh..opq", "file", ""),
            ("b/new", "file", "n"),
            ("e", "file", "now a file"),
        ],
    )
    import_layers([first, second], tmp_path / "image")
    root = tmp_path / "image/rootfs"
    assert sorted(str(path.relative_to(root)) for path in root.rglob("*")) == ["b", "b/new", "e", "h", "l"]
    assert (root / "h").read_text() == "a"
    assert (root / "e").stat().st_mode & 0o7777 == 0o644


def test_layers_cannot_write_elsewhere(tmp_path: Path) -> None:
    evil = layer(
        tmp_path / "1.tar",
        [("../up", "file", "x"), ("out", "link", str(tmp_path)), ("out/through", "file", "x"),
         ("/abs", "file", "x"), ("h", "hard", "../../secret")],
    )  # fmt: skip
    (tmp_path / "secret").write_text("s")
    import_layers([evil], tmp_path / "image")
    assert not (tmp_path / "up").exists()
    assert not (tmp_path / "through").exists()
    assert (tmp_path / "image/rootfs/abs").read_text() == "x"
    assert not (tmp_path / "image/rootfs/h").exists()
    with pytest.raises(ImageError, match="cannot be unpacked"):
        import_layers([tmp_path / "secret"], tmp_path / "image")
    assert (tmp_path / "image/rootfs/abs").exists(), "the image there was stays"
