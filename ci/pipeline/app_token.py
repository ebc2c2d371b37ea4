"""
A GitHub token of an hour for the pipeline's own App, which alone may push releases to main. The
App's key stays in AWS KMS, that signs with it and never gives it away: nothing long-lived is kept
in GitHub. Prints the token, with the rights that are named; meant for `$(…)`.
"""

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.request import Request, urlopen

RIGHTS = ("contents", "pull_requests")
# GitHub takes ten minutes at most; a minute back for clocks that differ.
LIFE_SECONDS = 540
SKEW_SECONDS = 60


def _coded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def assertion(app_id: str, now: int, sign: Callable[[bytes], bytes]) -> str:
    """The App's word for itself: a web token, signed by RSA and SHA-256."""
    head = _coded(json.dumps({"alg": "RS256", "typ": "JWT"}).encode())
    claims = {"iss": app_id, "iat": now - SKEW_SECONDS, "exp": now + LIFE_SECONDS}
    unsigned = f"{head}.{_coded(json.dumps(claims).encode())}"
    return f"{unsigned}.{_coded(sign(unsigned.encode()))}"


def signed_by_kms(message: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "message"
        path.write_bytes(message)
        said = subprocess.run(
            [
                "aws", "kms", "sign", "--key-id", os.environ["APP_KEY"], "--message-type", "RAW",
                "--signing-algorithm", "RSASSA_PKCS1_V1_5_SHA_256", "--message", f"fileb://{path}",
                "--query", "Signature", "--output", "text",
            ],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    return base64.b64decode(said)


def asked(url: str, word: str, body: dict | None = None) -> dict:
    headers = {"Authorization": f"Bearer {word}", "Accept": "application/vnd.github+json"}
    content = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, content, headers), timeout=30) as answer:
        return json.load(answer)


def token(interface: str, repository: str, word: str, rights: Sequence[str]) -> str:
    """For this one repository; what is not named in `rights` may not be written."""
    installed = asked(f"{interface}/repos/{repository}/installation", word)
    permissions = dict.fromkeys(rights, "write")
    wanted = {"repositories": [repository.split("/")[1]], "permissions": permissions}
    url = f"{interface}/app/installations/{installed['id']}/access_tokens"
    return asked(url, word, wanted)["token"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rights", nargs="+", choices=RIGHTS, help="what may be written with it")
    rights = parser.parse_args().rights
    word = assertion(os.environ["APP_ID"], int(time.time()), signed_by_kms)
    made = token(os.environ["GITHUB_API_URL"], os.environ["GITHUB_REPOSITORY"], word, rights)
    # The runner hides it in every log from here on; the shell takes standard output.
    print(f"::add-mask::{made}", file=sys.stderr)
    print(made)


if __name__ == "__main__":
    main()
