"""
What is signed here: places, which only the waiting room reads again (a shared secret is enough),
and admission passes, which order verifies offline by the public key.
"""

from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID, uuid4

import jwt

from chassis.keys import SigningKey
from chassis.problems import Problem
from chassis.settings import Secret
from waitingroom.window import EARLY, LATE, Place

ISSUER = "railgate-waitingroom"
PLACE_AUDIENCE = "railgate-place"
PLACE_KEY_LENGTH_MIN = 32
PLACE_LENGTH_MAX = 1_000
ORDER_AUDIENCE = "railgate-order"


class PlaceNotValid(Problem):
    status, code, title = 403, "place_not_valid", "This is not a place in this window's line."


class PlaceKey(Secret):
    """The secret that signs places; it is never shown."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if len(text) < PLACE_KEY_LENGTH_MIN:
            raise ValueError(f"expected at least {PLACE_KEY_LENGTH_MIN} characters")
        return super().__new__(cls, text)


class PlaceSigner:
    """Signs with `secret`; a place that the `previous` one signed is as good."""

    def __init__(self, secret: PlaceKey, previous: PlaceKey | None = None) -> None:
        self._secret = secret
        self._secrets = (secret,) if previous is None else (secret, previous)

    def sign(self, place: Place) -> str:
        claims = {
            "iss": ISSUER,
            "aud": PLACE_AUDIENCE,
            "sub": str(place.account_id),
            "window_id": str(place.window_id),
            "late_number": place.late_number,
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def read(self, token: str, *, window_id: UUID, account_id: UUID) -> Place:
        """
        Raises:
            PlaceNotValid: forged, malformed, of another window or another account.
        """
        claims = self._claims(token)
        if (claims["sub"], claims["window_id"]) != (str(account_id), str(window_id)):
            raise PlaceNotValid
        late_number = claims["late_number"]
        arrival = EARLY if late_number is None else LATE
        return Place(window_id, account_id, arrival, late_number)

    def _claims(self, token: str) -> dict[str, Any]:
        for secret in self._secrets:
            try:
                return jwt.decode(
                    token, secret, algorithms=["HS256"], audience=PLACE_AUDIENCE, issuer=ISSUER
                )
            except jwt.InvalidSignatureError:
                continue
            except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
                raise PlaceNotValid from error
        raise PlaceNotValid


def sign_pass(
    key: SigningKey, *, window_id: UUID, account_id: UUID, now: datetime, lifetime: timedelta
) -> str:
    claims = {
        "iss": ISSUER,
        "aud": ORDER_AUDIENCE,
        "sub": str(account_id),
        "window_id": str(window_id),
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
        "jti": uuid4().hex,
    }
    return jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": key.key_id})
