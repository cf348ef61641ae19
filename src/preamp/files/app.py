"""`/_preamp/files/`: what presigned URLs lead to. The URL is the permission; there is no other."""

from __future__ import annotations

from preamp.aws.presign import UrlError, UrlSigner
from preamp.files.access_logs import send_access_log
from preamp.files.artifacts import send_artifacts, send_test_artifacts
from preamp.files.http import FileError, Receive, Scope, Send, answer_text
from preamp.files.links import Kind
from preamp.files.logs import send_log
from preamp.files.test_artifacts import send_test_artifact
from preamp.files.uploads import UploadLimits, receive_upload
from preamp.model.errors import DependentServiceFailure
from preamp.store.access_logs import AccessLogs
from preamp.store.blobs import BlobStore
from preamp.store.database import Database
from preamp.store.logs import LogStore


class FilesApp:
    """ASGI application of the presigned files."""

    def __init__(
        self,
        *,
        database: Database,
        blobs: BlobStore,
        logs: LogStore,
        access_logs: AccessLogs,
        signer: UrlSigner,
        limits: UploadLimits,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._logs = logs
        self._access_logs = access_logs
        self._signer = signer
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._answer(scope, receive, send)
        except FileError as error:
            await answer_text(send, error.status, error.message, error.headers)
        except DependentServiceFailure as error:
            await answer_text(send, 503, error.message, {"retry-after": "1"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            claim = self._signer.verify(scope["method"], scope["raw_path"], scope["query_string"])
        except UrlError as error:
            raise FileError(403, str(error)) from error
        match claim.kind:
            case Kind.LOG:
                await send_log(self._logs, claim, scope, send)
            case Kind.ARTIFACTS:
                await send_artifacts(self._database, self._blobs, claim, scope, send)
            case Kind.TEST_ARTIFACTS:
                await send_test_artifacts(self._database, self._blobs, claim, scope, send)
            case Kind.TEST_ARTIFACT:
                await send_test_artifact(self._database, self._blobs, claim, scope, send)
            case Kind.ACCESS_LOG:
                await send_access_log(self._access_logs, claim, scope, send)
            case Kind.UPLOAD:
                await receive_upload(self._database, self._blobs, self._limits, claim, scope, receive, send)
            case _:
                raise FileError(404, "There is no such file")
