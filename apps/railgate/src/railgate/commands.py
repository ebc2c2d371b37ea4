"""The command `railgate`: run, status, audit, demo and reset on one machine."""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from railgate.audit import AuditImpossible, print_report
from railgate.audit import audit as audit_books
from railgate.launching import FolderInUse, ServerFailed, hold_folder
from railgate.run import Run, run_town
from railgate.servers import PostgresServer
from railgate.town import BASE_PORT

PORT_MAX = 65_000


def main(words: list[str] | None = None) -> int:
    options = _parser().parse_args(words)
    return int(options.command(options))


def run(options: argparse.Namespace) -> int:
    return run_town(
        Run(
            folder=options.folder,
            base_port=_base_port(),
            ready_file=options.ready_file,
            for_tests=options.for_tests,
        )
    )


def status(options: argparse.Namespace) -> int:
    state = read_state(options.folder)
    if state is None:
        print("Railgate is not running. `make run` starts it.")
        return 1
    print(f"Railgate is running (process {state['pid']}): {state['base_url']}")
    for name, pid in state["pids"].items():
        print(f"  {name:<22} process {pid:<8} {state['urls'].get(name, '')}")
    return 0


def reset(options: argparse.Namespace) -> int:
    folder: Path = options.folder
    if not folder.exists():
        print(f"There is nothing at {folder}.")
        return 0
    try:
        hold_folder(folder).close()
    except FolderInUse as error:
        print(f"{error} Stop it first.")
        return 1
    shutil.rmtree(folder)
    print(f"{folder} is gone: the next `make run` starts with nothing.")
    return 0


def audit(options: argparse.Namespace) -> int:
    """Read the books of the running town, of one that is stopped, or of given databases."""
    try:
        with contextlib.ExitStack() as stack:
            order_url, payment_url = _book_urls(options.folder, stack)
            report = audit_books(order_url, payment_url, wait_seconds=options.wait)
    except (AuditImpossible, ServerFailed) as error:
        print(error)
        return 2
    print_report(report)
    return 0 if report.is_clean else 1


def demo(_options: argparse.Namespace) -> int:
    script = project_root() / "ci" / "demo.sh"
    environment = os.environ | {"RAILGATE": f"{sys.executable} -m railgate.commands"}
    return subprocess.run(["/bin/sh", script], env=environment, check=False).returncode


def read_state(folder: Path) -> dict[str, Any] | None:
    """Give what a running Railgate wrote about itself; None when none runs on the folder."""
    try:
        hold_folder(folder).close()
    except FolderInUse:
        pass
    except OSError:
        return None
    else:
        return None
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text())
    except (OSError, ValueError):
        return None
    return state


def _book_urls(folder: Path, stack: contextlib.ExitStack) -> tuple[str, str]:
    given = os.environ.get("ORDER_DATABASE_URL"), os.environ.get("PAYMENT_DATABASE_URL")
    if given[0] and given[1]:
        return given[0], given[1]
    state = read_state(folder)
    if state is not None:
        return state["databases"]["order"], state["databases"]["payment"]
    if not (folder / "postgres").exists() and "DATABASE_URL" not in os.environ:
        raise AuditImpossible("There is nothing to audit yet: `make run` starts Railgate.")
    postgres = stack.enter_context(PostgresServer(folder / "postgres"))
    return postgres.url("order"), postgres.url("payment")


def project_root() -> Path:
    """The checkout, or where the command is called when it is installed elsewhere."""
    checkout = Path(__file__).resolve().parents[4]
    return checkout if (checkout / "Makefile").exists() else Path.cwd()


def _folder(path: str | Path) -> Path:
    return Path(path).resolve()


def _base_port() -> int:
    """The ports follow RAILGATE_PORT by offset, so it needs room above it."""
    wanted = os.environ.get("RAILGATE_PORT", str(BASE_PORT))
    if not wanted.isdecimal() or not 0 < int(wanted) <= PORT_MAX:
        raise SystemExit(f"RAILGATE_PORT={wanted} is no port: give a number up to {PORT_MAX}.")
    return int(wanted)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="railgate", description=__doc__)
    default = _folder(os.environ.get("RAILGATE_FOLDER") or project_root() / ".railgate")
    parser.add_argument("--folder", type=_folder, default=default, help="where everything is kept")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    starting = verbs.add_parser("run", help="start everything and keep it running")
    starting.add_argument("--ready-file", type=Path, help="write addresses here when all is up")
    starting.add_argument("--for-tests", action="store_true", help="quick storage, not durable")
    starting.set_defaults(command=run)
    auditing = verbs.add_parser("audit", help="prove that no seat and no money is lost")
    auditing.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="for what is still under way"
    )
    auditing.set_defaults(command=audit)
    for name, command, help_text in (
        ("status", status, "say what is running"),
        ("reset", reset, "throw away all data and keys"),
        ("demo", demo, "buy two tickets with curl"),
    ):
        verbs.add_parser(name, help=help_text).set_defaults(command=command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
