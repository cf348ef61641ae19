"""A Git LFS server over HTTP in front of git's own: the batch API wants the repository's password, and the
objects want the token that the batch API hands out."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.git_http import GitHandler, serve


class Store:
    """What the server has and what it was asked for."""

    def __init__(self, objects: Path) -> None:
        self.objects = objects
        """A repository's `lfs/objects`."""
        self.token = secrets.token_hex(16)
        self.elsewhere = True
        """Whether the storage has an address of its own, or that of the repository."""
        self.refused = False
        """Whether the storage takes no token any more."""
        self.batches = 0
        self.downloads = 0

    def path(self, oid: str) -> Path:
        return self.objects / oid[:2] / oid[2:4] / oid


@contextmanager
def lfs_server(root: Path, store: Store, *, user: str, password: str) -> Iterator[str]:
    """Serves the bare repositories below `root` and the large files of `store`; the URL of the server."""

    class Objects(GitHandler):
        """The storage."""

        def do_GET(self) -> None:  # noqa: N802 - the name is the base class's
            if store.refused or self.headers.get_all("Authorization") != [f"Bearer {store.token}"]:
                self.answer(403, {}, b"no token, or more than one")
                return
            store.downloads += 1
            self.answer(200, {}, store.path(urlsplit(self.path).path.rpartition("/")[2]).read_bytes())

    with serve(Objects) as storage:

        class Batch(Objects):
            def do_GET(self) -> None:  # noqa: N802 - the name is the base class's
                if self.path.startswith("/objects/"):
                    super().do_GET()
                else:
                    GitHandler.do_GET(self)

            def do_POST(self) -> None:  # noqa: N802 - the name is the base class's
                if not self.path.endswith("/info/lfs/objects/batch"):
                    GitHandler.do_GET(self)
                    return
                if not self.admitted():
                    return
                store.batches += 1
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                place = storage if store.elsewhere else f"http://{self.headers['Host']}"
                objects = [_offer(store, place, item["oid"], item["size"]) for item in asked["objects"]]
                body = json.dumps({"transfer": "basic", "objects": objects}).encode()
                self.answer(200, {"Content-Type": "application/vnd.git-lfs+json"}, body)

        with serve(type("Handler", (Batch,), {"root": root, "user": user, "password": password})) as url:
            yield url


def _offer(store: Store, storage: str, oid: str, size: int) -> dict[str, object]:
    if not store.path(oid).exists():
        return {"oid": oid, "size": size, "error": {"code": 404, "message": "Object does not exist"}}
    header = {"Authorization": f"Bearer {store.token}"}
    return {
        "oid": oid,
        "size": size,
        "actions": {"download": {"href": f"{storage}/objects/{oid}?signature=s3cret", "header": header}},
    }
