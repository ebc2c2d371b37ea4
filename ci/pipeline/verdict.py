"""
The one check that a merge asks for: every other job went well, or had nothing to do. Reads NEEDS,
GitHub's `toJSON(needs)`; MAY_SKIP names the jobs that may be left out.
"""

import json
import os
import sys


def unwell(needs: dict[str, dict], may_skip: set[str]) -> list[str]:
    """A job that was skipped without leave was not passed."""
    return [
        f"{name}: {job['result']}"
        for name, job in sorted(needs.items())
        if job["result"] != "success" and not (job["result"] == "skipped" and name in may_skip)
    ]


def main() -> None:
    needs = json.loads(os.environ["NEEDS"])
    faults = unwell(needs, set(os.environ.get("MAY_SKIP", "").split()))
    if faults or not needs:
        sys.exit("Not all green: " + (", ".join(faults) or "no job was asked"))
    print(f"All green: {', '.join(sorted(needs))}")


if __name__ == "__main__":
    main()
