"""Ed25519 (RFC 8032) with the keys of ``chatops audit key``: PEM files, as ``openssl pkey`` reads them.

``cryptography`` is an extra (``signing``) and imported when a key is used.
"""

from __future__ import annotations

import base64
import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from chatops.kernel.anchor import Anchor
from chatops.kernel.errors import PlatformError, Refused, Unavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_FINGERPRINT = 16  # hex digits


class SigningKey:
    """``kernel.anchor.Signer``; the private half stays in here."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key = _fingerprint(key.public_key())

    @classmethod
    def from_file(cls, path: str | Path) -> SigningKey:
        """Raises ``Unavailable`` for a file that cannot be read, ``Refused`` for what is no such key."""
        _need()
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(_read(path), None)
        except (ValueError, TypeError) as error:  # TypeError: it is encrypted
            raise _no_key(path, "private") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise _no_key(path, "private")
        return cls(key)

    def sign(self, said: bytes) -> str:
        """``kernel.anchor.Signer.sign``."""
        return base64.b64encode(self._key.sign(said)).decode()


class VerifyingKey:
    """The public half: tells whether an anchor was signed with the other one."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.key = _fingerprint(key)

    @classmethod
    def from_file(cls, path: str | Path) -> VerifyingKey:
        """Raises as ``SigningKey.from_file``."""
        _need()
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            key = load_pem_public_key(_read(path))
        except ValueError as error:
            raise _no_key(path, "public") from error
        if not isinstance(key, Ed25519PublicKey):
            raise _no_key(path, "public")
        return cls(key)

    def wrong(self, anchor: Anchor) -> str:
        """What is wrong with an anchor's signature, as a part of a sentence; empty when nothing is."""
        from cryptography.exceptions import InvalidSignature

        if not anchor.signature:
            return "is not signed"
        if anchor.key != self.key:
            return f"is signed by another key ({anchor.key or 'unknown'}, not {self.key})"
        try:
            self._key.verify(base64.b64decode(anchor.signature, validate=True), anchor.signed)
        except (InvalidSignature, ValueError):
            return "has a signature that does not fit what it says"
        return ""


def make_key(path: Path) -> str:
    """Makes a pair of keys, ``path`` for its owner alone and ``path.pub``, and returns its fingerprint.

    Raises ``Refused`` when one of the files is there, ``Unavailable`` for what the disk says.
    """
    _need()
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    public = key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
    for file, content, mode in ((path, private, 0o600), (path.with_name(path.name + ".pub"), public, 0o644)):
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as opened:
                opened.write(content)
        except FileExistsError as error:
            hint = "Name another file: what an older key signed has to stay verifiable."
            raise Refused(f"{file} is there already.", rule="key", hint=hint) from error
        except OSError as error:
            raise Unavailable(f"{file} cannot be written: {error.strerror}.") from error
    return _fingerprint(key.public_key())


def _fingerprint(key: Ed25519PublicKey) -> str:
    return sha256(key.public_bytes_raw()).hexdigest()[:_FINGERPRINT]


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Unavailable(f"The key {path} cannot be read: {error.strerror}.") from error


def _no_key(path: str | Path, half: str) -> PlatformError:
    hint = "`chatops audit key FILE` makes a pair: FILE is the private one, FILE.pub the public one."
    return Refused(f"{path} is no {half} Ed25519 key in PEM, without a passphrase.", rule="key", hint=hint)


def _need() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        hint = "pip install 'platform-chatops[signing]'"
        raise Unavailable("Signing needs the package cryptography, which is not installed.", hint=hint) from error
