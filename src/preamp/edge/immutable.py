"""Files whose name has a fingerprint of their content, so that they never change under that name.

Only what bundlers write is recognised: a false "immutable" cannot be taken back for a year.
"""

from __future__ import annotations

import re

CACHE_CONTROL = "public, max-age=31536000, immutable"

_FORMS = (
    re.compile(r"(?=.*[0-9])(?=.*[a-f])[0-9a-f]{8,64}"),  # webpack, Next.js
    re.compile(r"(?=.*[0-9])(?=.*[A-Z])[A-Z0-9]{8}"),  # esbuild
    re.compile(r"(?=.*[0-9])(?=.*[A-Z])(?=.*[a-z])[A-Za-z0-9_-]{8,64}"),  # Vite, Rollup, Parcel
)


def is_fingerprinted(path: str) -> bool:
    """`assets/index-Bf3kXa9q.js`, `main.3f9a1c2b.css`, `chunk-4QJ2X7AB.js`; never a page."""
    parts = path.rpartition("/")[2].split(".")
    if len(parts) < 2 or parts[-1] in {"html", "htm"}:
        return False
    # A fingerprint stands between dots, or after the name and a separator; a first part is a name.
    found = parts[1:-1]
    for part in parts[:-1]:
        found += [part[place + 1 :] for place, char in enumerate(part) if char in "-_"]
    if re.fullmatch(r"[0-9a-f]{16,64}", parts[0]):
        found.append(parts[0])
    return any(form.fullmatch(text) for text in found for form in _FORMS)
