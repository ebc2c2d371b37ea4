"""podman or docker, called the same way; what is missing is said with the way to get it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ENGINES = ("podman", "docker")
# A plain virtual machine, a container of a pipeline: there is no systemd that podman could ask.
WITHOUT_SYSTEMD = ("--cgroup-manager=cgroupfs", "--events-backend=file")
STOP_SECONDS = 45
INSTALL = {
    "podman": "apt-get install --no-install-recommends podman buildah runc",
    "docker": "https://docs.docker.com/engine/install/",
    "mmdebstrap": "apt-get install mmdebstrap",
}
# What Kubernetes gives every container of ours, in an engine's words.
HARDENED = (
    "--network=host", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges",
    "--memory=512m", "--pids-limit=128", "--ulimit=nofile=1024:20000",
    "--tmpfs=/tmp:rw,mode=1777,size=64m", "--tmpfs=/metrics:rw,mode=1777,size=64m",
)  # fmt: skip


class Missing(SystemExit):
    """A program is not on this machine: the check did not run, and must not look as if it had."""


def demand(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise Missing(
            f"NOTHING WAS CHECKED: {program} is not on this machine. Get it with: "
            f"{INSTALL.get(program, program)}"
        )
    return found


@dataclass(frozen=True)
class Engine:
    name: str

    @classmethod
    def found(cls, name: str) -> "Engine":
        """
        Raises:
            Missing: it is not here, or its daemon is not.
        """
        demand(name)
        engine = cls(name)
        asked = engine.run("info", check=False)
        if asked.returncode:
            raise Missing(f"NOTHING WAS CHECKED: {name} does not work here:\n{asked.stderr}")
        return engine

    @property
    def words(self) -> list[str]:
        if self.name != "podman":
            return [self.name]
        words = [self.name]
        if not Path("/run/systemd/private").exists():
            words += WITHOUT_SYSTEMD
        # crun wants a newer kernel interface than some machines have.
        if os.getuid() == 0 and (runc := shutil.which("runc", path="/usr/sbin:/usr/bin")):
            words.append(f"--runtime={runc}")
        return words

    @property
    def limits(self) -> list[str]:
        """
        podman would add writable folders of its own choice to a read-only root, and limits that not
        every machine lets it set.
        """
        if self.name != "podman":
            return []
        return ["--read-only-tmpfs=false", "--ulimit=nproc=1024:1024", "--ulimit=nofile=1024:20000"]

    def run(self, *words: str, check: bool = True, **said) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.words, *words], capture_output=True, text=True, check=False, **said
        )
        if check and done.returncode:
            raise EngineFailed(f"{self.name} {' '.join(words[:3])}: {done.stderr[-2000:]}")
        return done

    def aloud(self, *words: str) -> int:
        """Run with the engine's words on the terminal."""
        sys.stdout.flush()
        return subprocess.run([*self.words, *words], check=False).returncode

    def has_image(self, image: str) -> bool:
        return self.run("image", "inspect", image, check=False).returncode == 0


class EngineFailed(Exception):
    """The engine refused, or a container ended that should not have."""


class Container:
    """One running container of ours, hardened as in the cluster."""

    def __init__(
        self,
        engine: Engine,
        image: str,
        words: Sequence[str] = (),
        *,
        name: str,
        environment: Mapping[str, str],
        mounts: Sequence[str] = (),
    ) -> None:
        self.engine, self.name = engine, name
        self._variables = [f"--env={key}={value}" for key, value in environment.items()]
        self._options = [*HARDENED, *mounts]
        self._image, self._words = image, words

    def start(self) -> None:
        self.engine.run(
            "run", "--detach", f"--name={self.name}", *self._options, *self.engine.limits,
            *self._variables,
            self._image, *self._words,
        )  # fmt: skip

    def await_healthy(self, seconds: float) -> float:
        """The image's own health check, run as the engine runs it; gives the seconds it took."""
        began = time.monotonic()
        while not self._is_healthy():
            if not self.is_running() or time.monotonic() - began > seconds:
                raise EngineFailed(f"{self.name} does not turn healthy:\n{self.log()}")
            time.sleep(0.3)
        return time.monotonic() - began

    def _is_healthy(self) -> bool:
        if self.engine.name == "podman":
            return self.engine.run("healthcheck", "run", self.name, check=False).returncode == 0
        asked = self.engine.run("inspect", "--format={{.State.Health.Status}}", self.name)
        return asked.stdout.strip() == "healthy"

    def is_running(self) -> bool:
        asked = self.engine.run("inspect", "--format={{.State.Running}}", self.name, check=False)
        return asked.stdout.strip() == "true"

    def wait(self) -> int:
        return int(self.engine.run("wait", self.name).stdout.split()[-1])

    def stop(self) -> tuple[int, float]:
        """SIGTERM; gives the exit code, 137 when it had to be killed, and the seconds."""
        began = time.monotonic()
        self.engine.run("stop", f"--time={STOP_SECONDS}", self.name)
        took = time.monotonic() - began
        code = self.engine.run("inspect", "--format={{.State.ExitCode}}", self.name).stdout
        return int(code), took

    def signal(self, name: str) -> None:
        self.engine.run("kill", f"--signal={name}", self.name)

    def ask(self, program: str) -> str:
        """Run a Python program inside and give what it prints."""
        return self.engine.run("exec", "-i", self.name, "python", "-", input=program).stdout

    def log(self) -> str:
        asked = self.engine.run("logs", self.name, check=False)
        return (asked.stdout + asked.stderr)[-3000:]

    def remove(self) -> None:
        """docker kills at once and knows no time; podman would wait for ten seconds."""
        patience = ["--time=5"] if self.engine.name == "podman" else []
        self.engine.run("rm", "--force", "--volumes", *patience, self.name, check=False)
