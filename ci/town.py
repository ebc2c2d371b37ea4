"""A whole Railgate of a check's own: started in a folder that goes, watched, broken, and asked."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import httpx
import jwt
import psutil

START_SECONDS = 240
PORTS_OF_A_TOWN = 16
# Below what the kernel lends to outgoing connections, which could be in the way a moment later.
FREE_PORTS = range(15_000, 32_000, 20)


class Town:
    """The running services: their addresses, processes and keys."""

    def __init__(self, folder: Path, process: subprocess.Popen) -> None:
        self.folder = folder
        self._process = process
        self.keys = json.loads((folder / "keys.json").read_text())
        self._kid = ""

    @property
    def state(self) -> dict:
        """Read anew each time: a restarted program has another process."""
        return json.loads((self.folder / "state.json").read_text())

    def address(self, name: str) -> str:
        return self.state["urls"][name]

    @property
    def base_url(self) -> str:
        return self.state["base_url"]

    def pid(self, name: str) -> int:
        return self.state["pids"][name]

    def signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self.pid(name), number)

    def server_pid(self, *programs: str) -> int:
        """The database servers are children of the launcher and known by their programs."""
        for child in psutil.Process(self._process.pid).children():
            if any(name in part for name in programs for part in child.cmdline()[:1]):
                return child.pid
        raise LookupError(f"No process of {programs} runs under the launcher.")

    def token(self, *, lifetime_seconds: int = 7200, **claims) -> str:
        """An access token as registration signs it, without the sign-in."""
        if not self._kid:
            jwks = httpx.get(f"{self.address('registration')}/api/registration/jwks.json").json()
            self._kid = jwks["keys"][0]["kid"]
        now = int(time.time())
        account = {
            "iss": "railgate",
            "aud": "railgate",
            "sub": str(uuid.uuid4()),
            "email": f"p{uuid.uuid4().hex[:12]}@example.org",
            "name": "Rahima Khatun",
            "roles": [],
            "iat": now,
            "exp": now + lifetime_seconds,
            "jti": uuid.uuid4().hex,
            "sid": uuid.uuid4().hex,
        }
        key = self.keys["access_token_key"]
        return jwt.encode(account | claims, key, algorithm="EdDSA", headers={"kid": self._kid})

    def account(self, **claims) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(**claims)}"}

    def service(self, caller: str, callee: str) -> dict[str, str]:
        now = int(time.time())
        claims = {"iss": caller, "aud": callee, "iat": now, "exp": now + 600}
        key = self.keys[f"peer_secret_{caller}_{callee}"]
        return {"Authorization": f"Bearer {jwt.encode(claims, key, algorithm='HS256')}"}

    def audit(self, *, wait_seconds: int = 30) -> tuple[bool, str]:
        """What `railgate audit` says of the books: clean or not, and its text."""
        railgate = [sys.executable, "-m", "railgate.commands", "--folder", str(self.folder)]
        command = [*railgate, "audit", "--wait", str(wait_seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stdout + done.stderr

    def log(self, name: str) -> str:
        return (self.folder / "logs" / f"{name}.log").read_text(errors="replace")


def free_base_port() -> int:
    """Several checks may run on one machine, so each looks for ports of its own."""
    for base_port in random.sample(FREE_PORTS, len(FREE_PORTS)):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for port in range(base_port, base_port + PORTS_OF_A_TOWN):
                listener = stack.enter_context(socket.socket())
                listener.bind(("127.0.0.1", port))
            return base_port
    raise SystemExit("No sixteen ports in a row are free.")


@contextlib.contextmanager
def started_town(*, settings: dict[str, str], for_tests: bool = False, base_port: int = 0):
    """Start a Railgate on free ports or the given ones, and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="railgate-town-") as name:
        outer = Path(name)
        outer.chmod(0o755)
        folder, ready, log = outer / "town", outer / "ready.json", outer / "run.log"
        command = [sys.executable, "-m", "railgate.commands", "--folder", str(folder), "run"]
        command += ["--ready-file", str(ready), *(["--for-tests"] if for_tests else [])]
        environment = os.environ | settings | {"RAILGATE_PORT": str(base_port or free_base_port())}
        with log.open("w") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            _wait_until_ready(process, ready, log)
            yield Town(folder, process)
        finally:
            process.terminate()
            process.wait(60)


def _wait_until_ready(process: subprocess.Popen, ready: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"Railgate did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.2)
