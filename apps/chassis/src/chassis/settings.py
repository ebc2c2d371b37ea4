"""
Settings come from the environment, once, at the start; a service with a missing or
malformed one refuses to start and names all that is wrong.
"""

import dataclasses
import os
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self


class Secret(str):
    """A string that no log line or traceback shows by accident."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('…')"


class InvalidSettings(SystemExit):
    """Ends the program with one line for each setting that is missing or malformed."""


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """
    What every service needs. A subclass adds fields; the environment variable of a field
    is its name in capitals. A field without a default is demanded.
    """

    database_url: Secret
    redis_url: str = ""
    redis_timeout_seconds: float = 0.25
    public_url: str = "http://127.0.0.1:8080"
    jwks_url: str = "http://127.0.0.1:8081/api/registration/jwks.json"
    log_level: str = "INFO"
    timezone: str = "Asia/Dhaka"
    smtp_url: str = "smtp://127.0.0.1:8091"
    mail_from: str = "Railgate <tickets@railgate.example>"
    trusted_proxies: int = 1
    database_pool_size: int = 8
    database_statement_timeout_ms: int = 5_000

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """
        Read the fields from `environ` (the process's own by default).

        Raises:
            InvalidSettings: with one line for each missing or malformed variable.
        """
        environ = os.environ if environ is None else environ
        hints = typing.get_type_hints(cls)
        values: dict[str, Any] = {}
        faults: list[str] = []
        for field in dataclasses.fields(cls):
            variable = field.name.upper()
            raw = environ.get(variable)
            if raw is None:
                if _is_demanded(field):
                    faults.append(f"{variable} is not set.")
                continue
            try:
                values[field.name] = _parser_of(hints[field.name])(raw)
            except ValueError as error:
                faults.append(f"{variable} is malformed: {error}.")
        if faults:
            raise InvalidSettings("\n".join(faults))
        return cls(**values)


def _is_demanded(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _parse_bool(raw: str) -> bool:
    if raw.lower() not in {"true", "false", "1", "0"}:
        raise ValueError("expected true or false")
    return raw.lower() in {"true", "1"}


def _parser_of(hint: Any) -> Callable[[str], Any]:
    if isinstance(hint, types.UnionType):
        hint = next(option for option in typing.get_args(hint) if option is not type(None))
    return _parse_bool if hint is bool else typing.cast("Callable[[str], Any]", hint)
