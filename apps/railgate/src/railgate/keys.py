"""
The secrets of one machine: made once, kept in one file that only its owner reads,
handed to each program by environment. A secret that is added later is made then.
"""

import base64
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from railgate.launching import DataFolderBroken


def signing_key() -> str:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def cipher_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def password() -> str:
    return secrets.token_urlsafe(32)


def spoken_password() -> str:
    """A password that a person copies from the terminal."""
    return "-".join(secrets.token_hex(3) for _ in range(3))


MAKERS: dict[str, Callable[[], str]] = {
    "access_token_key": signing_key,
    "registration_identity_key": cipher_key,
    "registration_hash_key": cipher_key,
    "order_identity_key": cipher_key,
    "order_hash_key": cipher_key,
    "admission_key": signing_key,
    "place_key": password,
    "peer_secret_order_payment": password,
    "peer_secret_payment_order": password,
    "provider_key": password,
    "provider_webhook_secret": password,
    "passenger_password": spoken_password,
    "staff_password": spoken_password,
}


def load_keys(path: Path, services: list[str]) -> dict[str, str]:
    """
    Give every secret by name, with a database password for each service.

    Raises:
        DataFolderBroken: the file is there but holds no keys.
    """
    makers = MAKERS | {f"{service}_database_password": password for service in services}
    keys = _read(path)
    missing = {name: make() for name, make in makers.items() if name not in keys}
    if missing:
        keys |= missing
        _write(path, keys)
    return keys


def _read(path: Path) -> dict[str, str]:
    try:
        keys = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DataFolderBroken(f"{path} is damaged.") from error
    if not isinstance(keys, dict):
        raise DataFolderBroken(f"{path} is damaged.")
    return keys


def _write(path: Path, keys: dict[str, str]) -> None:
    """Write beside and rename: a crash leaves the old keys or the new, never half of them."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(keys, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
