"""Secrets at rest: sealed with the data folder's master key (AES-256-GCM)."""

from __future__ import annotations

import contextlib
import os
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12


class SealError(Exception):
    """A sealed value does not open: the master key is another one, or the value was changed."""


class MasterKey:
    """32 random bytes in a file that only the owner can read."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._aead = AESGCM(self.derive("sealing"))
        # The same few keys are opened for every request.
        self._opened = lru_cache(maxsize=1024)(self._open)

    @classmethod
    def load(cls, path: Path) -> MasterKey:
        """The key of a data folder; made at the first start."""
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            # Linked into place whole: two processes starting at once agree on one key.
            temporary = path.with_name(f"{path.name}.{os.getpid()}")
            temporary.touch(mode=0o600)
            temporary.write_bytes(secrets.token_bytes(32))
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(temporary)
            temporary.unlink()
            key = path.read_bytes()
        if len(key) != 32:
            raise SealError(f"{path} is damaged: it must hold 32 bytes, not {len(key)}")
        return cls(key)

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose, such as signing page tokens."""
        hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"preamp {purpose}".encode())
        return hkdf.derive(self._key)

    def seal(self, plain: str, *, owner: str) -> bytes:
        """`owner` (such as the key id) must be given again to open it: values cannot be swapped."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._aead.encrypt(nonce, plain.encode(), owner.encode())

    def open(self, sealed: bytes, *, owner: str) -> str:
        """Raises SealError."""
        return self._opened(sealed, owner)

    def _open(self, sealed: bytes, owner: str) -> str:
        try:
            plain = self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], owner.encode())
        except InvalidTag:
            raise SealError(
                f"the secret of {owner} cannot be opened with this data folder's master key"
            ) from None
        return plain.decode()
