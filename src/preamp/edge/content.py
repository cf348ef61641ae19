"""A release in memory: its files by path and the headers frozen with it."""

from __future__ import annotations

from dataclasses import dataclass

from preamp.edge.headers import HeaderBook
from preamp.model.custom_headers import from_normalised
from preamp.model.releases import Body, File, Manifest


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A file answers the path."""

    path: str
    file: File


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """The path names a folder with an index, without the slash at its end."""

    index: Hit


class Content:
    """What one release holds."""

    def __init__(self, body: Body, manifest: Manifest) -> None:
        self.manifest = body
        """Where it was read from."""
        self.files = manifest.files
        self.headers = HeaderBook(from_normalised(manifest.custom_headers))

    def find(self, path: str | None) -> Hit | Folder | None:
        """The lookup table of behaviour reference 7.3 for a decoded path such as `/about`."""
        if path is None:
            return None
        name = path[1:]
        if path.endswith("/"):
            return self._hit(name + "index.html")
        index = self._hit(name + "/index.html")
        return self._hit(name) or self._hit(name + ".html") or (Folder(index=index) if index else None)

    def rewritten(self, path: str | None) -> Hit | None:
        """The file behind a rule's target: a folder means its index, without a redirect."""
        found = self.find(path)
        return found.index if isinstance(found, Folder) else found

    def _hit(self, name: str) -> Hit | None:
        file = self.files.get(name)
        return Hit(path=name, file=file) if file else None
