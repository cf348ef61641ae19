"""Files in Git LFS, from a server that wants a token for the repository and another for the files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from preamp.build.errors import SourceError
from preamp.build.request import Credentials
from tests.integration.build.support import Builder, Repository
from tests.support.git_lfs import Store, lfs_server

pytestmark = pytest.mark.needs("git", "bwrap", "git-lfs")
TOKEN = "t0ken-of-mine"
LARGE = "large " * 100_000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Of a repository with one large file; the bare one has none of it."""
    work = Repository(tmp_path / "site")
    work.git("lfs", "install", "--local")
    work.commit({".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"})
    work.commit({"media/big.bin": LARGE, "index.html": "x"})
    work.git("clone", "-q", "--bare", ".", str(tmp_path / "srv/site.git"))
    assert not (tmp_path / "srv/site.git/lfs").exists()
    return Store(work.folder / ".git/lfs/objects")


@pytest.fixture
def url(store: Store, tmp_path: Path) -> Iterator[str]:
    with lfs_server(tmp_path / "srv", store, user="x-access-token", password=TOKEN) as address:
        yield f"{address}/site.git"


@pytest.mark.parametrize("elsewhere", [True, False])
def test_the_files_are_fetched_with_the_token_of_the_app(
    builder: Builder, url: str, store: Store, elsewhere: bool
) -> None:
    store.elsewhere = elsewhere
    builder.run(url, credentials=Credentials(token=TOKEN))
    assert builder.output["media/big.bin"] == LARGE
    assert (store.batches, store.downloads) == (1, 1)
    assert "# Fetching the files of Git LFS" in builder.log.text
    assert TOKEN not in builder.log.text
    assert store.token not in builder.log.text


def test_a_wrong_token(builder: Builder, url: str, store: Store) -> None:
    with pytest.raises(SourceError, match="was denied: the given credentials were refused"):
        builder.run(url, credentials=Credentials(token="another"))
    assert store.batches == 0


def test_a_server_that_refuses_only_the_files(builder: Builder, url: str, store: Store) -> None:
    store.refused = True
    told = r"refuses the app's credentials .* says: .*Authorization error: .*/[0-9a-f]{64}$"
    with pytest.raises(SourceError, match=told):
        builder.run(url, credentials=Credentials(token=TOKEN))
    assert "s3cret" not in builder.log.text
    assert store.token not in builder.log.text


def test_a_file_that_was_never_uploaded(builder: Builder, url: str, store: Store) -> None:
    for path in store.objects.rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(SourceError, match=r"Push them from where they are.*Object does not exist"):
        builder.run(url, credentials=Credentials(token=TOKEN))
