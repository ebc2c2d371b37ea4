"""What a person says of themselves to register, with numbers and address already normalised."""

from dataclasses import dataclass

from registration.keyed_hash import HashKey


@dataclass(frozen=True)
class IdentityDocument:
    kind: str
    number: str

    def digest(self, key: HashKey) -> bytes:
        """Tells equal documents without keeping their numbers readable."""
        return key.digest("identity-number", self.kind, self.number)


@dataclass(frozen=True)
class Applicant:
    name: str
    email: str
    mobile: str
    password: str
    document: IdentityDocument

    def digest(self, key: HashKey) -> bytes:
        """
        Tells a repetition from another request. The password is left out: a fast hash of it
        shall not rest anywhere, so repetitions are compared by the slow one.
        """
        document = (self.document.kind, self.document.number)
        return key.digest("registration", self.name, self.email, self.mobile, *document)
