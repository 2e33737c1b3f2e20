"""`hitl audit keygen`: the key that heads are signed with."""

import os
from pathlib import Path

import typer

from hitl.audit import new_key
from hitl.errors import ConfigurationError
from hitl.reviews import read_signer


def generate(file: Path, *, public: bool) -> None:
    """Write a new private key to `file`, readable by this user only, and print its public key.

    Args:
        file: Where the private key goes; it must not exist.
        public: Print the public key of the private key that is in `file` already.

    Raises:
        ConfigurationError: There is such a file already, or it cannot be written.
    """
    if not public:
        _write(file, new_key())
    typer.echo(read_signer(file).public_pem().decode(), nl=False)


def _write(file: Path, pem: bytes) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(
            f"{str(file)!r} is there already and was left as it is; a lost key cannot be made again."
            " Name another file, or print its public key with --public."
        ) from None
    except OSError as problem:
        raise ConfigurationError(
            f"{str(file)!r} cannot be written: {problem.strerror}."
        ) from problem
    with os.fdopen(descriptor, "wb") as out:
        out.write(pem)
