"""Where a deployment by `sourceUrl` comes from (behaviour reference, section 3.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from preamp.model.jobs import SourceUrlType

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}")
_S3 = "s3://"


class SourceUrlError(ValueError):
    """A URL that cannot be a source; the text says why, for the client."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WebSource:
    """A zip behind a plain GET."""

    url: str

    @property
    def shown(self) -> str:
        """For logs and messages: the query of a presigned URL is a secret."""
        return self.url.partition("#")[0].partition("?")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketSource:
    """One zip, or everything under a prefix, in a bucket."""

    bucket: str
    key: str
    """Of the zip; of a prefix, empty or with a final slash. Taken literally: nothing is decoded."""
    is_prefix: bool

    @property
    def shown(self) -> str:
        return f"{_S3}{self.bucket}/{self.key}"


def parse_source(url: str, kind: SourceUrlType) -> WebSource | BucketSource:
    """Raises SourceUrlError."""
    if url.startswith(_S3):
        return _bucket(url, kind)
    if kind is SourceUrlType.BUCKET_PREFIX:
        raise SourceUrlError("A sourceUrl of type BUCKET_PREFIX must begin with s3://.")
    return _web(url)


def _web(url: str) -> WebSource:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (looking at it is the check)
    except ValueError as error:
        raise SourceUrlError(f"The sourceUrl is not a URL: {error}.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SourceUrlError("The sourceUrl must be an http, https or s3 URL with a host.")
    if "@" in parts.netloc:
        raise SourceUrlError("The sourceUrl must not carry a user name; use a presigned URL.")
    if not url.isascii() or any(char <= " " or char == "\x7f" for char in url):
        raise SourceUrlError("The sourceUrl has blanks or characters that must be percent-encoded.")
    return WebSource(url=url)


def _bucket(url: str, kind: SourceUrlType) -> BucketSource:
    bucket, _, key = url.removeprefix(_S3).partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise SourceUrlError("The sourceUrl must name a bucket: s3://bucket/key.")
    if kind is SourceUrlType.BUCKET_PREFIX:
        prefix = f"{key.rstrip('/')}/" if key.strip("/") else ""
        return BucketSource(bucket=bucket, key=prefix, is_prefix=True)
    if not key or key.endswith("/"):
        raise SourceUrlError(
            "The sourceUrl must name a zip, s3://bucket/key.zip; for all files under a prefix set "
            "sourceUrlType to BUCKET_PREFIX."
        )
    return BucketSource(bucket=bucket, key=key, is_prefix=False)
