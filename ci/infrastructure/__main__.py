"""
`make infrastructure`: Terraform's own checks of every root, the rules that no plan may break, and
the plans beside gitops and the code. Ends with 1 where anything is wrong, and with 2 where it could
not look.
"""

import sys

from ci.infrastructure.checking import check_all
from ci.infrastructure.terraform import NothingChecked


def main() -> int:
    try:
        verdict = check_all()
    except NothingChecked as why:
        print(why, file=sys.stderr)
        return 2
    for line in verdict.said:
        print(line)
    for fault in verdict.faults:
        print(f"  {fault}")
    print(f"{len(verdict.faults)} faults" if verdict.faults else "No faults.")
    return 1 if verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
