"""
The mails' words. None repeats what a stranger typed into a form: a name in a mail to an unproven
address would let anybody send their own words in ours.
"""

from dataclasses import dataclass

_CLOSING = "\n\nRailgate\n"
_NOT_YOU = "If this was not you, nothing has happened and you need not do anything."


@dataclass(frozen=True)
class Mail:
    subject: str
    text: str


def registration_code(code: str) -> Mail:
    return Mail(
        f"{code} is your Railgate code",
        f"Your code to finish registering is\n\n    {code}\n\n"
        "It is good for 5 minutes. We never ask for it by telephone."
        f"\n\n{_NOT_YOU}{_CLOSING}",
    )


def already_registered(_: str) -> Mail:
    return Mail(
        "You already have a Railgate account",
        "Somebody, perhaps you, began to register with this address. It has an account already: "
        "please sign in, or choose a new password if you forgot yours."
        f"\n\n{_NOT_YOU}{_CLOSING}",
    )


def reset_code(code: str) -> Mail:
    return Mail(
        f"{code} is your Railgate code for a new password",
        f"Your code to choose a new password is\n\n    {code}\n\n"
        "It is good for 5 minutes. We never ask for it by telephone."
        f"\n\n{_NOT_YOU}{_CLOSING}",
    )


def no_account(_: str) -> Mail:
    return Mail(
        "No Railgate account has this address",
        "Somebody, perhaps you, asked for a new password. No account has this address: "
        "you may have registered with another one."
        f"\n\n{_NOT_YOU}{_CLOSING}",
    )


def password_changed(_: str) -> Mail:
    return Mail(
        "Your Railgate password was changed",
        "Your password was changed just now and every device was signed out. If this was not you, "
        f"choose a new password at once: whoever did it can read your mail.{_CLOSING}",
    )


# By what stands in the outbox; a mail without a code is given an empty one.
MAILS = {
    mail.__name__: mail
    for mail in (registration_code, already_registered, reset_code, no_account, password_changed)
}
