"""The passenger's short name for an order: eight letters and digits that no eye confuses."""

import secrets

# Without 0/O, 1/I/L, 2/Z, 5/S, 8/B and the vowels that make words.
ALPHABET = "34679CDFGHJKMNPQRTVWXY"
LENGTH = 8


def new_pnr() -> str:
    """22^8 are 5.5e10, so a guess finds a ticket once in a million at 50,000 live orders."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
