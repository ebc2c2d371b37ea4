"""`python -m ci.images build order`, `parts order`, `twice order` and `check`; see the Makefile."""

import argparse
import signal
import sys

from ci.images import building
from ci.images.checking import check
from ci.images.engine import ENGINES, Engine, EngineFailed
from ci.images.parts import list_parts
from ci.images.twice import differences


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.images", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    building_one = verbs.add_parser("build", help="build images, without trying them")
    building_one.add_argument("services", nargs="+", choices=building.SERVICES)
    listing = verbs.add_parser("parts", help="write the parts list of an image that is here")
    listing.add_argument("service", choices=building.SERVICES)
    twice = verbs.add_parser("twice", help="build one image twice, and compare")
    twice.add_argument("service", choices=building.SERVICES)
    checking = verbs.add_parser("check", help="build all images and try them")
    for verb in (building_one, listing, twice, checking):
        verb.add_argument("--engine", choices=ENGINES, default="podman")
    options = parser.parse_args(words)
    # Told to stop, it takes its containers away as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        engine = Engine.found(options.engine)
        if options.verb == "build":
            base = building.known_base(engine)
            for service in options.services:
                building.build(engine, service, base)
            return 0
        if options.verb == "parts":
            root = building.ROOT
            faults = list_parts(engine, options.service, root=root, build=root / "build")
        elif options.verb == "twice":
            faults = differences(engine, options.service)
        else:
            faults = check(engine)
    except EngineFailed as error:
        faults = [str(error)]
    print("\n".join(f"FAILED: {fault}" for fault in faults) or "Passed.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
