"""The registry's scan of an image: anything high or critical that has a cure keeps it from dev."""

import json
import sys
from pathlib import Path
from typing import Any

GRAVE = ("CRITICAL", "HIGH")


def grave(report: dict[str, Any]) -> list[str]:
    """
    Raises:
        ValueError: the scan did not come to an end, so nothing is known.
    """
    if report["imageScanStatus"]["status"] not in {"COMPLETE", "ACTIVE"}:
        raise ValueError(f"The scan is {report['imageScanStatus']['status']}.")
    found = report.get("imageScanFindings", {})
    plain = [
        f"{one['severity']} {one['name']}"
        for one in found.get("findings", [])
        if one["severity"] in GRAVE
    ]
    enhanced = [
        f"{one['severity']} {one['title']}"
        for one in found.get("enhancedFindings", [])
        if one["severity"] in GRAVE and one.get("fixAvailable") != "NO"
    ]
    return sorted({*plain, *enhanced})


def main() -> None:
    if faults := grave(json.loads(Path(sys.argv[1]).read_text())):
        sys.exit("The image is vulnerable:\n" + "\n".join(f"  {fault}" for fault in faults))


if __name__ == "__main__":
    main()
