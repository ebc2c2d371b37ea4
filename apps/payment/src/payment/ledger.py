"""
Double-entry postings. An amount above zero comes into an account, one below zero leaves it, and
each transfer sums to zero.

| account              | what its balance says                                       |
|----------------------|-------------------------------------------------------------|
| `provider_clearing`  | what the provider holds for the railway                     |
| `passenger_payments` | minus what passengers have paid and not been given back     |

A void posts nothing: money that was only set aside never moved.
"""

from dataclasses import dataclass

PROVIDER_CLEARING = "provider_clearing"
PASSENGER_PAYMENTS = "passenger_payments"
ACCOUNTS = (PROVIDER_CLEARING, PASSENGER_PAYMENTS)


@dataclass(frozen=True)
class Posting:
    account: str
    amount_minor: int


def capture_postings(amount_minor: int) -> tuple[Posting, ...]:
    return _transfer(PASSENGER_PAYMENTS, PROVIDER_CLEARING, amount_minor)


def refund_postings(amount_minor: int) -> tuple[Posting, ...]:
    return _transfer(PROVIDER_CLEARING, PASSENGER_PAYMENTS, amount_minor)


def _transfer(source: str, target: str, amount_minor: int) -> tuple[Posting, ...]:
    if amount_minor <= 0:
        raise ValueError("A transfer moves an amount above zero.")
    return Posting(source, -amount_minor), Posting(target, amount_minor)
