"""
`make fill ENV=dev`: puts into Secrets Manager what the services read and is not there yet. gitops
has the list; what is there is never changed, printed or written to a file. What only a
person can know is named at the end. Works with `aws` and the rights of who calls it.
"""

import argparse
import base64
import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "gitops" / "envs" / "base"
# As in gitops: the environment's name stands there.
KEY = "railgate/environment/"
# The provider of dev and staging is ours, so its key is too.
PRETENDED = {"PROVIDER_KEY", "PROVIDER_WEBHOOK_SECRET"}
WITH_SANDBOX = {"dev", "staging"}
# No list of a public authority is in the images yet, so the certificate is not compared with one.
DATABASE_OPTIONS = "?sslmode=require"


@dataclass(frozen=True)
class Places:
    """What terraform tells of an environment (its output `platform`)."""

    environment: str
    platform: Mapping[str, Any]

    def database_url(self, service: str, login: str, password: str) -> str:
        database = self.platform["database"]
        place = f"{database['host']}:{database['port']}/{service}{DATABASE_OPTIONS}"
        return f"postgresql://{login}:{quote(password, safe='')}@{place}"

    def redis_url(self, service: str, password: str) -> str:
        cache = self.platform["cache"]
        user = cache["users"][service]
        return f"rediss://{user}:{quote(password, safe='')}@{cache['host']}:{cache['port']}/0"


def password() -> str:
    return secrets.token_urlsafe(32)


def sealing_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def signing_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


# Made here, once: losing one loses what it sealed or signed.
MAKERS: dict[str, Callable[[], str]] = {
    "ACCESS_TOKEN_KEY": signing_key,
    "ADMISSION_KEY": signing_key,
    "HASH_KEY": sealing_key,
    "IDENTITY_KEY": sealing_key,
    "PLACE_KEY": password,
}


def wanted(base: Path = BASE) -> dict[str, set[str]]:
    """Key in Secrets Manager (its last word) -> the properties that gitops reads from it."""
    found: dict[str, set[str]] = {}
    for path in sorted(base.glob("*/*.yaml")):
        for body in yaml.load_all(path.read_text(), Loader=yaml.BaseLoader):
            if not isinstance(body, dict) or body.get("kind") != "ExternalSecret":
                continue
            for entry in body["spec"].get("data", []):
                key = entry["remoteRef"]["key"].removeprefix(KEY)
                found.setdefault(key, set()).add(entry["remoteRef"]["property"])
    return found


def filled(
    key: str, properties: set[str], there: Mapping[str, str], places: Places
) -> dict[str, str]:
    """What is missing of a secret and can be made; nothing that is there is among it."""
    made: dict[str, str] = {}
    for name in sorted(properties - set(there)):
        if name == "DATABASE_URL":
            made[name] = places.database_url(key, f"{key}_a", password())
        elif name == "MIGRATION_DATABASE_URL":
            made[name] = places.database_url(key, f"{key}_migration", password())
        elif name == "REDIS_URL":
            made[name] = places.redis_url(key, password())
        elif name in MAKERS:
            made[name] = MAKERS[name]()
        elif name in PRETENDED and places.environment in WITH_SANDBOX:
            made[name] = password()
    return made


def fill(places: Places, vault: "Vault", keys: Mapping[str, set[str]]) -> list[str]:
    """Gives the names that a person has to fill in."""
    left = []
    for key, properties in sorted(keys.items()):
        there = vault.read(key)
        made = filled(key, properties, there, places)
        if made:
            if "REDIS_URL" in made:
                user = places.platform["cache"]["users"][key]
                vault.set_cache_password(user, password_in(made["REDIS_URL"]))
            vault.write(key, dict(there) | made)
            print(f"{key}: made {', '.join(made)}")
        left += [f"{key}: {name}" for name in sorted(properties - set(there) - set(made))]
    return left


def password_in(url: str) -> str:
    """Every password that is made here is spelt the same in an address."""
    return urlsplit(url).password or ""


class Vault:
    """Secrets Manager and ElastiCache, by `aws`. Values go through standard input only."""

    def __init__(self, environment: str, region: str) -> None:
        self.environment = environment
        self.region = region

    def read(self, key: str) -> dict[str, str]:
        """Empty where nothing was ever put; a secret that is not there at all breaks off."""
        name = f"railgate/{self.environment}/{key}"
        asked = ("secretsmanager", "list-secret-version-ids", "--secret-id", name)
        if not json.loads(self._aws(*asked))["Versions"]:
            return {}
        asked = ("secretsmanager", "get-secret-value", "--secret-id", name)
        there: dict[str, str] = json.loads(json.loads(self._aws(*asked))["SecretString"])
        return there

    def write(self, key: str, values: Mapping[str, str]) -> None:
        name = f"railgate/{self.environment}/{key}"
        body = {"SecretId": name, "SecretString": json.dumps(values)}
        self._aws("secretsmanager", "put-secret-value", body=body)

    def set_cache_password(self, user: str, word: str) -> None:
        mode = {"Type": "password", "Passwords": [word]}
        body = {"UserId": user, "AuthenticationMode": mode}
        self._aws("elasticache", "modify-user", body=body)

    def _aws(self, *command: str, body: Mapping[str, Any] | None = None) -> str:
        told = () if body is None else ("--cli-input-json", "file:///dev/stdin")
        return subprocess.run(
            ["aws", *command, "--region", self.region, "--output", "json", *told],
            input=None if body is None else json.dumps(body),
            stdout=subprocess.PIPE, text=True, check=True,
        ).stdout  # fmt: skip


def read_platform(environment: str) -> dict[str, Any]:
    said = subprocess.run(
        ["terraform", "output", "-json", "platform"],
        cwd=ROOT / "terraform" / "envs" / environment,
        stdout=subprocess.PIPE, text=True, check=True,
    ).stdout  # fmt: skip
    platform: dict[str, Any] = json.loads(said)
    return platform


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", required=True)
    environment = parser.parse_args().environment
    platform = read_platform(environment)
    vault = Vault(environment, platform["region"])
    left = fill(Places(environment, platform), vault, wanted())
    if left:
        sys.exit("Left for a person:\n" + "\n".join(f"  {name}" for name in left))
    print("Nothing is missing.")


if __name__ == "__main__":
    main()
