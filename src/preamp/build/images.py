"""`_CUSTOM_IMAGE`: the root file system that a build sees instead of the machine's own.

An image is a folder `images/{key}/rootfs`, made once: imported by `preamp images import`, or fetched by
skopeo and unpacked. Builds see it read-only, in the same sandbox as ever.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tarfile
from pathlib import Path, PurePosixPath

from preamp.build.errors import BuildError
from preamp.build.logs import BuildLog
from preamp.build.mirror import locked
from preamp.build.processes import run
from preamp.build.sandbox.system import reachable
from preamp.build.threads import in_thread
from preamp.build.workspace import remove_tree

VARIABLE = "_CUSTOM_IMAGE"
OF_THE_MACHINE = frozenset({"amplify:al2", "amplify:al2023", "amplify:latest"})
"""Amplify's own images: the machine's tools stand in for them."""
SHARED = Path("/var/cache/preamp/images")
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,255}")
_LOOPBACK = re.compile(r"(localhost|127\.\d+\.\d+\.\d+)(:\d+)?/")
"""Registries of this machine need no TLS."""
PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


class ImageError(BuildError):
    """The image that a build asks for is not here and cannot be had."""


def images_folder(images: Path, owner: tuple[int, int] | None) -> Path:
    """Where images are: `images`, or a folder of the machine where builds cannot reach that."""
    images.mkdir(parents=True, exist_ok=True)
    if not reachable(images, owner):
        # such as in a data folder, which only we may enter: builds have a uid of their own
        SHARED.mkdir(parents=True, exist_ok=True)
        return SHARED
    return images


def image_folder(images: Path, reference: str) -> Path:
    """See `images_folder` for `images`."""
    return images / hashlib.sha256(reference.encode()).hexdigest()[:32]


async def provide_image(
    images: Path | None, reference: str, *, owner: tuple[int, int] | None, log: BuildLog
) -> Path | None:
    """The root file system; None for the machine's own. owner: who must be able to read it.

    Raises ImageError.
    """
    reference = reference.strip()
    if not reference or reference in OF_THE_MACHINE:
        if reference:
            log.info(f"# Image {reference}: the machine's own tools stand in for it")
        return None
    if not _REFERENCE.fullmatch(reference):
        raise ImageError(f"{VARIABLE}: {reference!r} is not the name of an image")
    if images is None:
        raise ImageError(f"{VARIABLE} asks for {reference}, and images are not available to this build")
    folder = image_folder(images_folder(images, owner), reference)
    async with locked(folder.with_suffix(".lock")):
        if not (folder / "rootfs").is_dir():
            await _fetch(folder, reference, log)
    root = folder / "rootfs"
    if not any(os.path.lexists(root / name) for name in ("bin/bash", "usr/bin/bash")):
        raise ImageError(f"The image {reference} has no /bin/bash, which builds need: use another one")
    log.info(f"# Image {reference}")
    return root


async def _fetch(folder: Path, reference: str, log: BuildLog) -> None:
    skopeo = shutil.which("skopeo")
    if skopeo is None:
        raise ImageError(
            f"{VARIABLE} asks for the image {reference}, which is not on this machine, and skopeo is not "
            "installed to fetch it: install it (Debian, Ubuntu: `apt install skopeo`), or import the image's "
            f"files with `preamp images import {reference} ROOTFS.tar`"
        )
    log.info(f"# Fetching image {reference}")
    fetched = folder.with_suffix(f".fetch-{os.getpid()}")
    try:
        # Python's tar module does not know every compression that layers may have
        options = ["--quiet", "--dest-decompress"]
        if _LOOPBACK.match(reference):
            options.append("--src-tls-verify=false")
        copy = (skopeo, "copy", *options, f"docker://{reference}", f"dir:{fetched}")
        done = await run(copy, env={**os.environ, "LC_ALL": "C"})
        if done.code:
            raise ImageError(_why_not_fetched(reference, done.errors))
        await in_thread(_unpack_layers, fetched, folder)
    finally:
        await in_thread(remove_tree, fetched)


def _why_not_fetched(reference: str, errors: str) -> str:
    """skopeo's last line is a log entry, with the message in quotes."""
    last = errors.splitlines()[-1] if errors else "it ended without a message"
    quoted = re.search(r'msg=("(?:[^"\\]|\\.)*")', last)
    told = json.loads(quoted[1]) if quoted else last
    text = told.lower()
    if "manifest unknown" in text or "name unknown" in text or "not found" in text:
        advice = "the registry has no such image: check its name and tag"
    elif "unauthorized" in text or "denied" in text:
        advice = (
            "the registry wants a login, or it has no such image: check the name, or run `skopeo login` as "
            "the user that runs the worker"
        )
    elif "reference format" in text:
        advice = "that is not the name of an image"
    else:
        advice = "check the name and the network of the machine that runs the build"
    return f"The image {reference} could not be fetched: {advice}. skopeo says: {told}"


def _unpack_layers(fetched: Path, folder: Path) -> None:
    manifest = json.loads((fetched / "manifest.json").read_text())
    layers = [fetched / layer["digest"].partition(":")[2] for layer in manifest["layers"]]
    import_layers(layers, folder)


def import_layers(layers: list[Path], folder: Path) -> None:
    """Unpack tar archives (compressed or not) over each other into `folder`/rootfs, in one rename.

    Blocking. Raises ImageError for an archive that cannot be read.
    """
    fresh = folder.with_suffix(f".unpack-{os.getpid()}")
    remove_tree(fresh)
    root = fresh / "rootfs"
    root.mkdir(parents=True)
    try:
        for layer in layers:
            with tarfile.open(layer) as archive:
                _apply(archive, root)
        remove_tree(folder)
        fresh.rename(folder)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ImageError(f"The image cannot be unpacked: {error}") from error
    finally:
        remove_tree(fresh)


def _apply(archive: tarfile.TarFile, root: Path) -> None:
    """One layer: additions, and `.wh.` files that take something away. Devices and owners are left out."""
    for member in archive:
        name = PurePosixPath(member.name.lstrip("/"))
        if ".." in name.parts or name == PurePosixPath("."):
            continue
        place = root.joinpath(*name.parts)
        parent = place.parent
        if not parent.resolve().is_relative_to(root.resolve()):
            continue  # through a link that leads out of the image
        if name.name == ".wh..wh..opq":
            for entry in parent.iterdir() if parent.is_dir() else ():
                _remove(entry)
            continue
        if name.name.startswith(".wh."):
            _remove(parent / name.name.removeprefix(".wh."))
            continue
        if not (member.isdir() or member.isfile() or member.issym() or member.islnk()):
            continue
        if not (member.isdir() and place.is_dir() and not place.is_symlink()):
            _remove(place)
        parent.mkdir(parents=True, exist_ok=True)
        if member.islnk():
            target = root.joinpath(*PurePosixPath(member.linkname.lstrip("/")).parts)
            if ".." not in target.parts and target.is_file() and not target.is_symlink():
                place.hardlink_to(target)
        elif member.issym():
            place.symlink_to(member.linkname)
        elif member.isdir():
            place.mkdir(exist_ok=True)
            place.chmod(member.mode & 0o777 | 0o755)
        else:
            source = archive.extractfile(member)
            assert source is not None, "it is a regular file"
            with source, place.open("wb") as target_file:
                shutil.copyfileobj(source, target_file)
            # readable by every build, and never with another's rights
            place.chmod(member.mode & 0o777 | 0o444)
            os.utime(place, (member.mtime, member.mtime))


def _remove(place: Path) -> None:
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.is_dir():
        remove_tree(place)
