"""The script that starts the Next.js server of a bundle, with a stand-in for Next.js."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.build.next.support import Site, put

pytestmark = pytest.mark.needs("node")
REPORT = """
const fs = require('node:fs').promises;
const path = require('node:path');
const told = {};
(async () => {
  told.cwd = process.cwd();
  told.env = [process.env.NODE_ENV, process.env.PORT];
  told.argv = process.argv.slice(2);
  told.config = process.env.__NEXT_PRIVATE_STANDALONE_CONFIG;
  const page = path.resolve('.next/server/app/page.js');
  told.before = await fs.readFile(page, 'utf8');
  await fs.mkdir(path.resolve('.next/cache/images'), { recursive: true });
  told.free = (await fs.statfs(path.resolve('.next/none'))).bsize > 0;
  await fs.mkdir(path.dirname(page), { recursive: true });
  await fs.writeFile(page + '.new', 'again');
  await fs.rename(page + '.new', page);
  told.after = await fs.readFile(page, 'utf8');
  await fs.writeFile('.next/cache/images/a', 'small');
  told.listed = await fs.readdir(path.resolve('.next/cache/images'));
  told.missing = await fs.readFile(path.resolve('.next/nothing')).catch((error) => error.code);
  await fs.rm(page);
  told.removed = await fs.readFile(page, 'utf8');
  console.log(JSON.stringify(told));
})();
"""


@pytest.mark.parametrize("app", ["", "apps/web"])
@pytest.mark.parametrize("standalone", [True, False])
def test_what_the_server_finds(tmp_path: Path, app: str, *, standalone: bool) -> None:
    site = Site(root=tmp_path / "src", app=app, standalone=standalone, config={"basePath": "/x"})
    if standalone:
        put(site.home / ".next/standalone" / app / "server.js", REPORT)
    else:
        put(site.root / "node_modules/next/dist/bin/next", REPORT)
    bundle, temporary = tmp_path / "bundle", tmp_path / "tmp"
    site.bundle(bundle)
    temporary.mkdir()
    before = listing(bundle)
    told = start(bundle, temporary)
    home = bundle / "compute/default" / app
    assert told["cwd"] == str(home)
    assert told["env"] == ["production", "3000"]
    assert (told["before"], told["after"], told["removed"]) == ("page", "again", "page")
    assert (told["listed"], told["missing"], told["free"]) == (["a"], "ENOENT", True)
    assert listing(bundle) == before, "the bundle cannot be written where it runs"
    assert (temporary / "next/cache/images/a").read_text() == "small"
    if standalone:
        assert told["argv"] == []
    else:
        assert told["argv"] == ["start", str(home), "--port", "3000"]
        assert json.loads(told["config"])["basePath"] == "/x"


def test_a_server_that_is_a_module(tmp_path: Path) -> None:
    site = Site(root=tmp_path / "src")
    put(site.home / ".next/standalone/package.json", '{"type": "module"}')
    put(site.home / ".next/standalone/server.js", "console.log(JSON.stringify(import.meta.url.slice(-9)))")
    site.bundle(tmp_path / "bundle")
    assert start(tmp_path / "bundle", tmp_path) == "server.js"


def listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns) for path in folder.rglob("*"))


def start(bundle: Path, temporary: Path) -> Any:
    node = shutil.which("node")
    assert node is not None
    done = subprocess.run(
        [node, "preamp-next.cjs"],
        cwd=bundle / "compute/default",
        env={"TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
