from __future__ import annotations

from pathlib import Path

from preamp.compute.places import make_places
from preamp.store.folder import DataFolder


def test_what_node_loads_first_is_whole_also_after_a_power_failure(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.make()
    relisten = make_places(folder, None).relisten
    whole = relisten.read_bytes()
    assert b"PREAMP_LISTEN_FD" in whole
    relisten.write_bytes(b"")
    assert make_places(folder, None).relisten.read_bytes() == whole
