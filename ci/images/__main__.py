"""`python -m ci.images build order` and `python -m ci.images check`; see the Makefile."""

import argparse
import sys

from ci.images import building
from ci.images.checking import check
from ci.images.engine import ENGINES, Engine, EngineFailed


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.images", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    building_one = verbs.add_parser("build", help="build images, without trying them")
    building_one.add_argument("services", nargs="+", choices=building.SERVICES)
    checking = verbs.add_parser("check", help="build all images and try them")
    for verb in (building_one, checking):
        verb.add_argument("--engine", choices=ENGINES, default="podman")
    options = parser.parse_args(words)
    try:
        engine = Engine.found(options.engine)
        if options.verb == "build":
            for service in options.services:
                building.build(engine, service)
            return 0
        faults = check(engine)
    except EngineFailed as error:
        faults = [str(error)]
    print("\n".join(f"FAILED: {fault}" for fault in faults) or "Passed: every image holds.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
