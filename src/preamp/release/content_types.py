"""Content types by file name. Text is UTF-8; what is unknown is bytes.

Our own table and not `mimetypes`, which reads files of the machine: the same release has to be served
the same everywhere. Types as registered with IANA.
"""

from __future__ import annotations

_TEXT = {
    "appcache": "text/cache-manifest",
    "css": "text/css",
    "csv": "text/csv",
    "htm": "text/html",
    "html": "text/html",
    "ics": "text/calendar",
    "js": "text/javascript",
    "jsx": "text/javascript",
    "cjs": "text/javascript",
    "mjs": "text/javascript",
    "md": "text/markdown",
    "markdown": "text/markdown",
    "text": "text/plain",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "vcf": "text/vcard",
    "vtt": "text/vtt",
    "xml": "application/xml",
    "xsl": "application/xslt+xml",
    "xslt": "application/xslt+xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "atom": "application/atom+xml",
    "rss": "application/rss+xml",
    "xhtml": "application/xhtml+xml",
    "svg": "image/svg+xml",
    "toml": "application/toml",
    "log": "text/plain",
}

_COMPRESSIBLE = {
    "bmp": "image/bmp",
    "cur": "image/vnd.microsoft.icon",
    "eot": "application/vnd.ms-fontobject",
    "geojson": "application/geo+json",
    "glb": "model/gltf-binary",
    "gltf": "model/gltf+json",
    "ico": "image/vnd.microsoft.icon",
    "json": "application/json",
    "json5": "application/json5",
    "jsonld": "application/ld+json",
    "map": "application/json",
    "otf": "font/otf",
    "rtf": "application/rtf",
    "topojson": "application/json",
    "ttc": "font/collection",
    "ttf": "font/ttf",
    "wasm": "application/wasm",
    "webmanifest": "application/manifest+json",
}

_PACKED = {
    "7z": "application/x-7z-compressed",
    "aac": "audio/aac",
    "apng": "image/apng",
    "avif": "image/avif",
    "br": "application/octet-stream",
    "bz2": "application/x-bzip2",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "epub": "application/epub+zip",
    "flac": "audio/flac",
    "gif": "image/gif",
    "gz": "application/gzip",
    "heic": "image/heic",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "jxl": "image/jxl",
    "m4a": "audio/mp4",
    "m4v": "video/mp4",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "opus": "audio/opus",
    "pdf": "application/pdf",
    "png": "image/png",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "tar": "application/x-tar",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "video/webm",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
    "zst": "application/zstd",
}

_BY_NAME = {"apple-app-site-association": "application/json"}

UNKNOWN = "application/octet-stream"


def content_type(path: str) -> str:
    """The `Content-Type` of the file at `path` (only its last part counts, in any case)."""
    name = path.rpartition("/")[2].lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    extension = name.rpartition(".")[2] if "." in name else ""
    if extension in _TEXT:
        return f"{_TEXT[extension]}; charset=utf-8"
    return _COMPRESSIBLE.get(extension) or _PACKED.get(extension) or UNKNOWN


def is_compressible(path: str) -> bool:
    """Whether twins are worth trying."""
    name = path.rpartition("/")[2].lower()
    extension = name.rpartition(".")[2] if "." in name else ""
    return extension in _TEXT or extension in _COMPRESSIBLE or name in _BY_NAME
