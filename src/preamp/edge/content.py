"""A release in memory: its files by path and the headers frozen with it."""

from __future__ import annotations

from dataclasses import dataclass

from preamp.edge.headers import HeaderBook
from preamp.edge.routes import RouteBook
from preamp.model.custom_headers import from_normalised
from preamp.model.deploy_manifest import parse
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
        """Raises DeployManifestError when its routes cannot be read: a newer Preamp has written them."""
        self.manifest = body
        """Where it was read from."""
        self.files = manifest.files
        self.headers = HeaderBook(from_normalised(manifest.custom_headers))
        deploy = parse(manifest.deploy_manifest) if manifest.deploy_manifest is not None else None
        self.routes = RouteBook(deploy.routes) if deploy else None
        """None: files are looked up by their paths."""
        self.images = deploy.image_settings if deploy else None
        self.has_server = manifest.compute is not None

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

    def exact(self, path: str | None) -> Hit | None:
        """The file of that very name."""
        return self._hit(path[1:]) if path else None

    def _hit(self, name: str) -> Hit | None:
        file = self.files.get(name)
        return Hit(path=name, file=file) if file else None
