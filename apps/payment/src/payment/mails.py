"""The words of payment's mails. Each is sent once the money has been let go of or has left."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mail:
    subject: str
    text: str


def price(amount_minor: int, currency: str) -> str:
    return f"{currency} {amount_minor // 100:,}.{amount_minor % 100:02}"


def voided(*, name: str, description: str, amount_minor: int, currency: str) -> Mail:
    amount = price(amount_minor, currency)
    return Mail(
        f"Your payment of {amount} was not taken",
        f"Dear {name},\n\n"
        f"your payment of {amount} for {description} reached us when the seats were no longer "
        "yours to buy, so we did not take it. The amount was only set aside by your bank, which "
        "has been told to let go of it; this may show on your account within a few days.\n\n"
        "You have no ticket for this order. You are welcome to choose seats again.\n",
    )


def refunded_unasked(*, name: str, description: str, amount_minor: int, currency: str) -> Mail:
    amount = price(amount_minor, currency)
    return Mail(
        f"Your money is on its way back: {amount}",
        f"Dear {name},\n\n"
        f"your payment of {amount} for {description} reached us when the seats were no longer "
        "yours to buy. We have sent all of it back to where it came from; it may take your bank "
        "a few days to show it.\n\n"
        "You have no ticket for this order. You are welcome to choose seats again.\n",
    )


def refunded(*, name: str, description: str, amount_minor: int, currency: str) -> Mail:
    amount = price(amount_minor, currency)
    return Mail(
        f"Your money is on its way: {amount}",
        f"Dear {name},\n\n"
        f"we have sent you {amount} back for {description}. It goes to where your payment came "
        "from; it may take your bank a few days to show it.\n",
    )


def failed(*, name: str, description: str, amount_minor: int, currency: str) -> Mail:
    amount = price(amount_minor, currency)
    return Mail(
        f"Your payment of {amount} did not go through",
        f"Dear {name},\n\n"
        f"your bank first agreed to pay {amount} for {description} and then refused for good. "
        "Nothing was taken, and the tickets that were issued for this order are not valid.\n\n"
        "You are welcome to choose seats again and to pay in another way.\n",
    )
