"""Signatures on heads: Ed25519, by the `cryptography` package (extra `crypto`).

Keys are PEM text: PKCS 8 for the private one, SubjectPublicKeyInfo for the public one, so that other
tools read them too.
"""

from typing import TYPE_CHECKING

from hitl.audit.heads import Head, SealedHead, signed_bytes
from hitl.canonical import sha256_hex
from hitl.errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def new_key() -> bytes:
    """Return a fresh private key as PEM text.

    Raises:
        MissingExtra: The package cryptography is not installed.
    """
    try:
        from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
    except ImportError as problem:
        raise _missing() from problem
    return ed25519.Ed25519PrivateKey.generate().private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    )


class Signer:
    """Signs heads with one private key.

    Args:
        pem: The private key, as `new_key` returns it.

    Raises:
        ConfigurationError: It is no Ed25519 private key, or cryptography is not installed.
    """

    def __init__(self, pem: bytes) -> None:
        try:
            from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra
            from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
        except ImportError as problem:
            raise _missing() from problem
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as problem:
            raise ConfigurationError(_not_a_key("private")) from problem
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise ConfigurationError(_not_a_key("private"))
        self._key = key
        self.name = _name(key.public_key())

    def signed(self, head: Head, *, sealed_at: str) -> SealedHead:
        """Return the head with time, key and signature."""
        bare = SealedHead(
            seq=head.seq, events=head.events, head=head.head, sealed_at=sealed_at, key=self.name
        )
        signature = self._key.sign(signed_bytes(bare)).hex()
        return bare.model_copy(update={"signature": signature})

    def public_pem(self) -> bytes:
        """Return the public key as PEM text: what whoever verifies is given."""
        from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 - an extra

        return self._key.public_key().public_bytes(
            form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
        )


class Verifier:
    """Checks signatures with one public key.

    Args:
        pem: The public key, as `hitl audit keygen` prints it.

    Raises:
        ConfigurationError: It is no Ed25519 public key, or cryptography is not installed.
    """

    def __init__(self, pem: bytes) -> None:
        try:
            from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra
            from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
        except ImportError as problem:
            raise _missing() from problem
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, TypeError) as problem:
            raise ConfigurationError(_not_a_key("public")) from problem
        if not isinstance(key, ed25519.Ed25519PublicKey):
            raise ConfigurationError(_not_a_key("public"))
        self._key = key
        self.name = _name(key)

    def problem(self, head: SealedHead) -> str | None:
        """Return what is wrong with the head's signature, or None."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra

        where = f"The head at event {head.seq}"
        if not head.signature:
            return f"{where} is not signed; whoever can write it can make another."
        try:
            self._key.verify(bytes.fromhex(head.signature), signed_bytes(head))
        except (InvalidSignature, ValueError):
            return (
                f"{where} is not signed by key {self.name}: it says {head.key or 'no key'}. Either"
                " this is another key's head, or somebody made it up; compare with a copy kept"
                " elsewhere."
            )
        return None


def _name(key: "Ed25519PublicKey") -> str:
    return sha256_hex(key.public_bytes_raw())[:16]


def _missing() -> MissingExtra:
    return MissingExtra("signing heads", "crypto", "cryptography")


def _not_a_key(kind: str) -> str:
    return f"This is not an Ed25519 {kind} key in PEM form; `hitl audit keygen` makes one."
