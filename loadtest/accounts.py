"""
The accounts of the rush, prepared beforehand: nobody registers or signs in at eight o'clock. Their
tokens are signed here with the key of the machine's registration.
"""

import json
import os
import time
import uuid
from multiprocessing import Pool
from pathlib import Path

import httpx
import jwt
from ci.town import Town
from cryptography.hazmat.primitives.serialization import load_pem_private_key

LIFETIME_SECONDS = 7_200
CHUNK = 2_000


def prepare_accounts(town: Town, how_many: int, folder: Path, processes: int) -> list[Path]:
    """Write one file of `account_id token` lines for each generator, showing progress."""
    jwks = httpx.get(f"{town.address('registration')}/api/registration/jwks.json").json()
    signing = (town.keys["access_token_key"], jwks["keys"][0]["kid"])
    tasks = [(*signing, min(CHUNK, how_many - n)) for n in range(0, how_many, CHUNK)]
    paths = [folder / f"accounts-{n}.txt" for n in range(processes)]
    files = [path.open("w") for path in paths]
    done = 0
    with Pool(os.cpu_count()) as pool:
        for lines in pool.imap_unordered(_sign_many, tasks):
            for n, file in enumerate(files):
                file.writelines(lines[n::processes])
            done += len(lines)
            print(f"\r  {done:,} of {how_many:,} accounts signed in", end="", flush=True)
    for file in files:
        file.close()
    print()
    return paths


def _sign_many(task: tuple[str, str, int]) -> list[str]:
    pem, kid, how_many = task
    key, now = load_pem_private_key(pem.encode(), None), int(time.time())
    return [_sign(key, kid, now) for _ in range(how_many)]


def _sign(key, kid: str, now: int) -> str:
    account_id = str(uuid.uuid4())
    claims = {
        "iss": "railgate",
        "aud": "railgate",
        "sub": account_id,
        "email": f"p{account_id[:13]}@example.org",
        "name": "Rahima Khatun",
        "roles": [],
        "iat": now,
        "exp": now + LIFETIME_SECONDS,
        "jti": account_id[:8],
        "sid": account_id[24:],
    }
    token = jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid})
    return f"{account_id} {token}\n"


def running_town(folder: Path) -> Town:
    """The Railgate that runs on a folder; the load goes nowhere but to this machine."""
    import psutil

    try:
        state = json.loads((folder / "state.json").read_text())
    except OSError:
        raise SystemExit(f"No Railgate runs on {folder}: `make run` starts one.") from None
    if not state["base_url"].startswith(("http://127.0.0.1:", "http://localhost:")):
        raise SystemExit("The load is only for this machine.")
    return Town(folder, psutil.Process(state["pid"]))
