"""
`make manifests`: render every environment and check it. Ends with 1 where anything is wrong, and
with 2 where it could not look.
"""

import sys

from ci.manifests.admission import check_admission
from ci.manifests.alerting import check_alerting
from ci.manifests.capacity import check_capacity
from ci.manifests.code import read_code
from ci.manifests.delivery import check_delivery
from ci.manifests.edges import check_edges
from ci.manifests.fit import check_fit
from ci.manifests.monitoring import check_monitoring
from ci.manifests.policy import check_policy, never_released
from ci.manifests.promql import WITHOUT_PROMTOOL, promtool
from ci.manifests.references import check_references
from ci.manifests.rendering import ROOT, WITHOUT_KUBECTL, CannotRender, kubectl, render_tree
from ci.manifests.schemas import check_schemas


def main() -> int:
    if kubectl() is None:
        print(WITHOUT_KUBECTL, file=sys.stderr)
        return 2
    try:
        tree = render_tree(ROOT / "gitops")
    except CannotRender as error:
        print(f"Kustomize refuses: {error}", file=sys.stderr)
        return 1
    code = read_code()
    against, faults = check_schemas(tree)
    for found in (
        check_references(tree, code),
        check_policy(tree),
        check_fit(tree, code),
        check_edges(tree, code),
        check_delivery(tree, code),
        check_monitoring(tree, code),
        check_alerting(tree),
        check_admission(tree),
        check_capacity(tree),
    ):
        faults += found
    for environment in tree.environments.values():
        print(
            f"{environment.name}: {len(environment.objects)} objects "
            f"in {len(environment.folders)} folders"
        )
    print(f"argocd: {len(tree.argocd)} objects")
    print(against)
    print("Queries: parsed by promtool." if promtool() else WITHOUT_PROMTOOL)
    waiting = never_released(tree)
    if waiting:
        print(f"Never released yet (digest of zeros): {', '.join(waiting)}")
    for fault in sorted(set(faults)):
        print(f"  {fault}")
    print(f"{len(set(faults))} faults" if faults else "No faults.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
