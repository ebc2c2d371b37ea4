"""`python -m ci.images.composing` makes the secrets of compose.yaml, once, for its --env-file."""

import json
import sys
from pathlib import Path

from ci.images.building import ROOT

from railgate import town as table
from railgate.keys import load_keys, password

FOLDER = ROOT / ".railgate"
# What only containers need: on one machine the servers' passwords lie beside their data.
SERVERS = ("postgres_password", "valkey_password")


def secrets_of(keys_file: Path) -> dict[str, str]:
    keys = load_keys(keys_file, [s.name for s in table.SERVICES if s.has_database])
    if not set(SERVERS) <= set(keys):
        keys |= {name: password() for name in SERVERS}
        keys_file.write_text(json.dumps(keys, indent=2))
    return {name.upper(): value for name, value in keys.items()}


def env_file_of(secrets: dict[str, str]) -> str:
    """Quoted twice: a PEM key has several lines, and an env file's value one."""
    return "".join(f"{name}={json.dumps(value)}\n" for name, value in sorted(secrets.items()))


def main() -> int:
    FOLDER.mkdir(mode=0o711, exist_ok=True)
    env_file = FOLDER / "compose.env"
    secrets = secrets_of(FOLDER / "compose-keys.json")
    env_file.touch(mode=0o600)
    env_file.write_text(env_file_of(secrets))
    print(f"docker compose --env-file {env_file.relative_to(ROOT)} up --build")
    return 0


if __name__ == "__main__":
    sys.exit(main())
