"""What tests left, and pictures of pages: named queries. The bytes are blobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, insert, select, tuple_

from preamp.model.artifacts import Artifact, ArtifactKind
from preamp.store.blobs import Blob
from preamp.store.tables import artifacts

TESTS = (ArtifactKind.TEST, ArtifactKind.TEST_CONFIG)


def replace_artifacts(
    conn: Connection,
    branch_id: int,
    number: int,
    files: Mapping[str, Blob],
    *,
    config_file: str | None = None,
) -> None:
    """File name -> blob of what the tests left, in the order of the list; what an earlier attempt left is
    forgotten. config_file: which of them is the test report."""
    delete_artifacts(conn, branch_id, number)
    rows = [
        {
            "branch_id": branch_id,
            "number": number,
            "ordinal": ordinal,
            "kind": ArtifactKind.TEST_CONFIG if name == config_file else ArtifactKind.TEST,
            "file_name": name,
            "blob": blob.name,
            "size": blob.size,
        }
        for ordinal, (name, blob) in enumerate(files.items())
    ]
    if rows:
        conn.execute(insert(artifacts), rows)


def add_screenshot(conn: Connection, branch_id: int, number: int, name: str, blob: Blob) -> None:
    """A picture of the page; in place of the one there is."""
    conn.execute(delete(artifacts).where(_is(branch_id, number), artifacts.c.kind == ArtifactKind.SCREENSHOT))
    last = conn.scalar(select(func.max(artifacts.c.ordinal)).where(_is(branch_id, number)))
    conn.execute(
        insert(artifacts).values(
            branch_id=branch_id,
            number=number,
            ordinal=0 if last is None else last + 1,
            kind=ArtifactKind.SCREENSHOT,
            file_name=name,
            blob=blob.name,
            size=blob.size,
        )
    )


def screenshots_of(conn: Connection, jobs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Artifact]:
    """By (branch id, job number), of those jobs that have one."""
    wanted = sorted(set(jobs))
    if not wanted:  # making the query takes longer than other queries take
        return {}
    query = select(artifacts).where(
        artifacts.c.kind == ArtifactKind.SCREENSHOT,
        tuple_(artifacts.c.branch_id, artifacts.c.number).in_(wanted),
    )
    rows = conn.execute(query).mappings()
    return {(row["branch_id"], row["number"]): _artifact(row) for row in rows}


def list_tests(conn: Connection, branch_id: int, number: int) -> list[Artifact]:
    query = select(artifacts).where(_is(branch_id, number), artifacts.c.kind.in_(TESTS))
    return [_artifact(row) for row in conn.execute(query.order_by(artifacts.c.ordinal)).mappings()]


def page_artifacts(
    conn: Connection, branch_id: int, number: int, *, after: int, limit: int
) -> list[Artifact]:
    """What the tests left; a next page goes on after the last ordinal, -1 is before the first."""
    query = select(artifacts).where(
        _is(branch_id, number), artifacts.c.kind.in_(TESTS), artifacts.c.ordinal > after
    )
    rows = conn.execute(query.order_by(artifacts.c.ordinal).limit(limit)).mappings()
    return [_artifact(row) for row in rows]


def get_artifact(conn: Connection, branch_id: int, number: int, ordinal: int) -> Artifact | None:
    query = select(artifacts).where(_is(branch_id, number), artifacts.c.ordinal == ordinal)
    row = conn.execute(query).mappings().first()
    return _artifact(row) if row else None


def delete_artifacts(conn: Connection, branch_id: int, number: int) -> None:
    conn.execute(delete(artifacts).where(_is(branch_id, number)))


def _is(branch_id: int, number: int) -> ColumnElement[bool]:
    return (artifacts.c.branch_id == branch_id) & (artifacts.c.number == number)


def _artifact(row: RowMapping) -> Artifact:
    return Artifact(
        branch_id=row["branch_id"],
        number=row["number"],
        ordinal=row["ordinal"],
        kind=ArtifactKind(row["kind"]),
        file_name=row["file_name"],
        blob=row["blob"],
        size=row["size"],
    )
