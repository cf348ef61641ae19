from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from preamp.build.artifacts import Collected
from preamp.build.errors import BuildFailed
from preamp.build.output import collect_output
from preamp.build.spec import ArtifactRule
from preamp.build.workspace import Workspace
from preamp.model.apps import Platform
from tests.unit.build.next.support import Site, put


class Build:
    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace(root=folder, in_memory=False, closing=ExitStack())
        self.source = self.workspace.source
        self.source.mkdir(parents=True)
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def collect(self, directory: str, platform: Platform = Platform.WEB_COMPUTE, base: str = "") -> Collected:
        return collect_output(
            ArtifactRule(base_directory=directory),
            base=base,
            workspace=self.workspace,
            platform=platform,
            runtime="nodejs22.x",
            say=self.notes.append,
            warn=self.warnings.append,
            copy=False,
        )

    def bundle(self) -> Path:
        put(self.source / "out/deploy-manifest.json", "{}")
        store = self.source / "out/compute/default/node_modules"
        put(store / ".store/a@1/node_modules/a/index.js", "a")
        (store / "a").symlink_to(".store/a@1/node_modules/a")
        (store / "away").symlink_to("/etc")
        (store / "gone").symlink_to("nowhere")
        (self.source / "out/b.html").symlink_to("deploy-manifest.json")
        return self.workspace.output / "compute/default/node_modules"


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return Build(tmp_path)


def test_links_between_packages_stay_links(build: Build) -> None:
    modules = build.bundle()
    collected = build.collect("out")
    assert str((modules / "a").readlink()) == ".store/a@1/node_modules/a"
    assert not (modules / "away").is_symlink()
    assert not (modules / "gone").is_symlink()
    assert not (build.workspace.output / "b.html").is_symlink(), "only the server's"
    assert sorted(warning.partition(" ")[0] for warning in build.warnings) == [
        "compute/default/node_modules/away",
        "compute/default/node_modules/gone",
    ]
    assert collected.files == (
        "b.html",
        "compute/default/node_modules/.store/a@1/node_modules/a/index.js",
        "deploy-manifest.json",
    )
    assert collected.file_count == 3


def test_for_plain_files_links_become_what_they_lead_to(build: Build) -> None:
    modules = build.bundle()
    build.collect("out", Platform.WEB)
    assert (modules / "a/index.js").read_text() == "a"
    assert not (modules / "a").is_symlink()


def test_next_becomes_a_bundle(build: Build) -> None:
    Site(root=build.source, app="web")
    collected = build.collect(".next", base="web")
    assert "compute/default/web/server.js" in collected.files
    assert build.notes[0].startswith("# Next.js 15.5.28 found: its standalone output bundled")


def test_next_on_the_platform_for_files_is_left_alone(build: Build) -> None:
    Site(root=build.source)
    assert "BUILD_ID" in build.collect(".next", Platform.WEB).files
    assert not build.notes


def test_a_manifest_of_its_own_wins(build: Build) -> None:
    Site(root=build.source)
    put(build.source / ".next/deploy-manifest.json", "{}")
    assert "BUILD_ID" in build.collect(".next").files


def test_an_export_is_its_files(build: Build) -> None:
    Site(root=build.source, app="web", config={"output": "export"}, standalone=False)
    put(build.source / "web/out/index.html", "hello")
    assert build.collect(".next", base="web").files == ("index.html",)
    assert build.notes == ["# Next.js 15.5.28 found: exported as files, which are in web/out"]


def test_a_missing_folder(build: Build) -> None:
    with pytest.raises(BuildFailed, match=r"Artifact directory doesn't exist: \.next"):
        build.collect(".next")
