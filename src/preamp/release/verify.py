"""Check a release after activation: what is served is complete."""

from __future__ import annotations

from preamp.model.releases import Manifest
from preamp.release.errors import VerifyError
from preamp.store.blobs import BlobStore

ROOT_DOCUMENT = "index.html"


def verify(blobs: BlobStore, manifest: Manifest) -> list[str]:
    """Warnings for the log, one line each.

    Raises VerifyError when a blob of the release is missing or has another size than listed.
    """
    parts = [
        (path + kind, body)
        for path, file in manifest.files.items()
        for kind, body in (("", file.body), *((f" ({code})", twin) for code, twin in file.encodings.items()))
    ]
    if manifest.compute is not None:
        parts.append(("the server's archive", manifest.compute.archive))
    sizes = blobs.sizes(body.blob for _, body in parts)
    for path, body in parts:
        size = sizes.get(body.blob)
        if size is None:
            raise VerifyError(f"{path} is missing in the blob store: redeploy, and check the disk")
        if size != body.size:
            raise VerifyError(
                f"{path} has {size} bytes in the blob store instead of {body.size}: "
                "redeploy, and check the disk"
            )
    if ROOT_DOCUMENT not in manifest.files and manifest.deploy_manifest is None:
        return [_no_root(manifest)]
    return []


def _no_root(manifest: Manifest) -> str:
    nested = sorted(path for path in manifest.files if path.endswith(f"/{ROOT_DOCUMENT}"))
    text = f"There is no {ROOT_DOCUMENT} at the root of the release: the site answers 404 at /."
    if nested:
        text += f" The nearest is {nested[0]}: is baseDirectory, or the folder that was zipped, right?"
    return text
