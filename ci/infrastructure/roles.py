"""
`make roles ENV=dev`: what makes the databases and their roles, for psql. It holds passwords, so it
goes through a pipe into a pod that stands in the network and is gone afterwards (terraform/README).
The first line says where to connect, the others are for psql.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from ci.infrastructure.filling import ROOT, Vault, read_platform

SCRIPT = ROOT / "terraform" / "modules" / "rds_postgres" / "roles.sql"
LOGINS = ("migration", "a", "b")
# How the pod takes it in: no password is in its definition, nor in a log of the cluster.
IN_THE_POD = 'IFS= read -r place; exec psql -qX "$place"'


def quoted(value: str) -> str:
    """For psql's own commands, which read a backslash inside quotes."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def passwords_of(values: Mapping[str, str]) -> dict[str, str]:
    """Login (without the service's name) -> password, as the addresses in the secret say."""
    found = {}
    for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL"):
        parts = urlsplit(values[name])
        login = (parts.username or "").rpartition("_")[2]
        found[login] = unquote(parts.password or "")
    return found


def script(secrets: Mapping[str, Mapping[str, str]], conninfo: str) -> Iterator[str]:
    yield conninfo
    for service, values in secrets.items():
        found = passwords_of(values)
        yield f"\\set service {quoted(service)}"
        for login in LOGINS:
            yield f"\\set {login}_password {quoted(found.get(login, ''))}"
        yield SCRIPT.read_text()


def conninfo(host: str, port: int, user: str, password: str, sslmode: str = "require") -> str:
    said = password.replace("\\", "\\\\").replace("'", "\\'")
    return (
        f"host={host} port={port} user={user} password='{said}' dbname=postgres sslmode={sslmode}"
    )


def master(secret_arn: str, region: str) -> dict[str, str]:
    said = subprocess.run(
        ["aws", "secretsmanager", "get-secret-value", "--secret-id", secret_arn,
         "--region", region, "--query", "SecretString", "--output", "text"],
        stdout=subprocess.PIPE, text=True, check=True,
    ).stdout  # fmt: skip
    login: dict[str, str] = json.loads(said)
    return login


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", required=True)
    environment = parser.parse_args().environment
    if sys.stdout.isatty():
        sys.exit("It holds passwords and is not for a terminal: pipe it into psql.")
    platform = read_platform(environment)
    database, vault = platform["database"], Vault(environment, platform["region"])
    login = master(database["master_secret_arn"], platform["region"])
    place = conninfo(database["host"], database["port"], login["username"], login["password"])
    secrets = {service: vault.read(service) for service in sorted(database["databases"])}
    for part in script(secrets, place):
        print(part)


if __name__ == "__main__":
    main()
