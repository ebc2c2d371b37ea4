"""The sandbox's settings, from the environment; what is missing is named and nothing starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

DEMANDED = ("SANDBOX_KEY", "SANDBOX_WEBHOOK_SECRET", "SANDBOX_FOLDER", "PORT")


class InvalidSettings(SystemExit):
    """Ends the program with one line for each setting that is missing or malformed."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Settings:
    key: str
    webhook_secret: str
    folder: Path
    port: int
    public_url: str
    host: str = "127.0.0.1"
    late_seconds: float = 20.0
    retry_seconds: float = 1.0

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """
        Raises:
            InvalidSettings: with one line for each variable that is missing or malformed.
        """
        environ = os.environ if environ is None else environ
        faults = [f"{name} is not set." for name in DEMANDED if not environ.get(name)]
        if faults:
            raise InvalidSettings("\n".join(faults))
        try:
            port = int(environ["PORT"])
            late_seconds = float(environ.get("SANDBOX_LATE_SECONDS", cls.late_seconds))
            retry_seconds = float(environ.get("SANDBOX_RETRY_SECONDS", cls.retry_seconds))
        except ValueError as error:
            raise InvalidSettings(f"A number is malformed: {error}.") from error
        return cls(
            key=environ["SANDBOX_KEY"],
            webhook_secret=environ["SANDBOX_WEBHOOK_SECRET"],
            folder=Path(environ["SANDBOX_FOLDER"]),
            port=port,
            public_url=environ.get("SANDBOX_PUBLIC_URL", f"http://127.0.0.1:{port}").rstrip("/"),
            host=environ.get("SANDBOX_HOST", cls.host),
            late_seconds=late_seconds,
            retry_seconds=retry_seconds,
        )
