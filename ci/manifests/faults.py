"""What a check finds: the rule, the place, and the fault in a sentence."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Fault:
    rule: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} [{self.rule}]"
