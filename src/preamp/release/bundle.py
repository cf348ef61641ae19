"""A bundle for server-side rendering (behaviour reference, section 8): is it one, and is it whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from preamp.model.apps import Platform
from preamp.model.deploy_manifest import (
    COMPUTE_FOLDER,
    FILE_NAME,
    STATIC_FOLDER,
    DeployManifest,
    DeployManifestError,
    TargetKind,
    parse,
)
from preamp.release.errors import PublishError

_LONGEST_MANIFEST = 1 << 20
_MISSING = (
    # Amplify's own words, which tools look for.
    "CustomerError: Failed to find the deploy-manifest.json file in the build output. Please verify that the "
    '"baseDirectory" specified in your application\'s build spec is correct. An app with the platform '
    "WEB_COMPUTE needs a bundle, as the adapters of frameworks write it; for a site of static files set the "
    "platform with `aws amplify update-app --platform WEB`."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """A folder whose manifest is right and that has what the manifest speaks of."""

    folder: Path
    text: str
    """Of the manifest."""
    manifest: DeployManifest

    @property
    def static(self) -> Path | None:
        """The folder of the files; None when there is none."""
        folder = self.folder / STATIC_FOLDER
        return folder if folder.is_dir() else None


def find_bundle(folder: Path, *, platform: Platform, warn: Callable[[str], None]) -> Bundle | None:
    """None when the folder is to be served as plain files. Blocking.

    `warn` gets what the author should know. Raises PublishError.
    """
    file = folder / FILE_NAME
    if platform is not Platform.WEB_COMPUTE:
        if file.is_file():
            warn(
                f"The output has a {FILE_NAME}, but the app's platform is {platform}: its files are served "
                "as they are and no server runs. For a server set the platform with "
                "`aws amplify update-app --platform WEB_COMPUTE` and run the job again."
            )
        return None
    if not file.is_file():
        if not (folder / "index.html").is_file():
            raise PublishError(_MISSING)
        warn(
            f"The app's platform is WEB_COMPUTE, but the output has no {FILE_NAME}: it is served as static "
            "files. `aws amplify update-app --platform WEB` says that this is meant so."
        )
        return None
    text = _text(folder, file)
    bundle = Bundle(folder=folder, text=text, manifest=_parsed(text))
    for warning in bundle.manifest.warnings:
        warn(f"{FILE_NAME}: {warning}.")
    _check_parts(bundle)
    return bundle


def _text(folder: Path, file: Path) -> str:
    if not file.resolve().is_relative_to(folder.resolve()):
        raise PublishError(f"{FILE_NAME} is a symbolic link that leads out of the output: copy the file")
    with file.open("rb") as opened:
        data = opened.read(_LONGEST_MANIFEST + 1)
    if len(data) > _LONGEST_MANIFEST:
        raise PublishError(f"{FILE_NAME} has more than {_LONGEST_MANIFEST} bytes: what wrote it is broken")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise PublishError(f"{FILE_NAME} is not UTF-8 text: {error}") from error


def _parsed(text: str) -> DeployManifest:
    try:
        return parse(text)
    except DeployManifestError as error:
        raise PublishError(f"{FILE_NAME} cannot be used: {error}") from error


def _check_parts(bundle: Bundle) -> None:
    for number, route in enumerate(bundle.manifest.routes):
        for name, target in (("target", route.target), ("fallback", route.fallback)):
            if target is not None and target.kind is TargetKind.STATIC and bundle.static is None:
                raise PublishError(
                    f"{FILE_NAME} cannot be used: routes[{number}].{name}.kind is '{target.kind}', but the "
                    f"bundle has no folder {STATIC_FOLDER}/"
                )
    server = bundle.manifest.server
    if server is None:
        return
    home = bundle.folder / COMPUTE_FOLDER / server.name
    place = f"computeResources[{bundle.manifest.compute_resources.index(server)}]"
    if not home.is_dir():
        raise PublishError(
            f"{FILE_NAME} cannot be used: {place}.name is {server.name!r}, but the bundle has no folder "
            f"{COMPUTE_FOLDER}/{server.name}/"
        )
    entry = home / server.entrypoint
    if not entry.is_file() or not entry.resolve().is_relative_to(bundle.folder.resolve()):
        raise PublishError(
            f"{FILE_NAME} cannot be used: {place}.entrypoint is {server.entrypoint!r}, but the bundle has no "
            f"file {COMPUTE_FOLDER}/{server.name}/{server.entrypoint}"
        )
