"""Requests for changed images: their sources on this site, and the answer with the site's own headers."""

from __future__ import annotations

import asyncio

from preamp.edge.answer import Answer
from preamp.edge.compute import NoSuchPage, Servers
from preamp.edge.images.images import Images
from preamp.edge.images.source import MOST_BYTES, Source, too_large
from preamp.edge.outcome import Image
from preamp.edge.paths import canonical, decoded
from preamp.edge.render import CACHE_CONTROL, finished
from preamp.edge.request import Request
from preamp.edge.sending import BlobUnreadable
from preamp.edge.site import LoadedSite
from preamp.model.errors import DependentServiceFailure
from preamp.store.blobs import BlobStore


class Optimiser:
    """Of one edge process."""

    def __init__(self, images: Images, servers: Servers, blobs: BlobStore) -> None:
        self._images = images
        self._servers = servers
        self._blobs = blobs

    async def answer(self, request: Request, site: LoadedSite, outcome: Image) -> Answer:
        """Raises NoSuchPage when there is no such image and something else is to answer, BlobUnreadable."""
        assert site.content is not None
        assert site.content.images is not None, "the manifest was checked"

        async def local(target: str) -> Source:
            return await self._source(request, site, target)

        found = await self._images.respond(
            query=outcome.query,
            accept=request.headers.get("accept"),
            settings=site.content.images,
            local=local,
            cache_control=outcome.cache_control,
            conditions=request.headers,
        )
        if found.status == 404 and outcome.second is not None:
            raise NoSuchPage
        return finished(request, site, found.status, found.headers, found.body)

    async def _source(self, request: Request, site: LoadedSite, target: str) -> Source:
        """A file of the release, else what its server says; never an image that is changed itself."""
        assert site.content is not None
        assert site.content.routes is not None
        path = target.partition("?")[0]
        hit = site.content.exact(decoded(path))
        if hit is None:
            if not site.content.has_server:
                return Source(status=404, body=b"")
            return await self._servers.source(request, site, target)
        body = hit.file.body
        if body.size > MOST_BYTES:
            raise too_large(body.size)
        try:
            data = await asyncio.to_thread(self._blobs.read, body.blob)
        except (OSError, DependentServiceFailure) as error:
            raise BlobUnreadable(str(error)) from error
        route = site.content.routes.find(canonical(path)).route
        cache_control = route.target.cache_control or CACHE_CONTROL
        return Source(status=200, body=data, cache_control=cache_control, digest=body.blob)
