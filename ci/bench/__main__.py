"""
`make bench`: every case beside the floor, in turns, on the same gunicorn settings. Shared machines
are noisy, so what counts is the ratio of rounds that follow each other.
"""

import argparse
import contextlib
import statistics

import psutil
from ci.bench.cases import Case, cases
from ci.bench.generator import Result, load, repeated, request_bytes
from ci.bench.growth import growth_cases
from ci.bench.processes import CpuMeter, started_floor
from ci.bench.town import BenchTown, started_bench_town
from ci.town import Town

# Until so many requests have gone before, or this is over.
WARM_UP_SECONDS_MAX = 30.0


class Bench:
    def __init__(self, town: Town, floors: contextlib.ExitStack, seconds: float) -> None:
        self._town, self._seconds = town, seconds
        self._floors, self._floor_of = floors, {}
        self._groups = {
            "postgres": town.server_pid("postgres"),
            "valkey": town.server_pid("valkey", "redis"),
        }

    def floor(self, case: Case) -> tuple[Result, dict[str, float]]:
        niceness = psutil.Process(self._town.pid(case.service)).nice()
        if niceness not in self._floor_of:
            self._floor_of[niceness] = self._floors.enter_context(started_floor(niceness))
        floor = self._floor_of[niceness]
        hello = repeated([request_bytes("GET", f"{floor.url}/")], 40_000)
        groups = self._groups | {"service": floor.pid}
        return self._measure(floor.url, hello, groups, warm_up=300)

    def case(self, case: Case) -> tuple[Result, dict[str, float]]:
        groups = self._groups | {"service": self._town.pid(case.service)}
        url = self._town.address(case.service)
        return self._measure(url, case.requests(), groups, warm_up=case.warm_up)

    def _measure(self, url, requests, groups, *, warm_up):
        """What is measured is warm: connections, plans, tokens and snapshots as in a rush."""
        if warm_up:
            load(url, requests[:warm_up], seconds=WARM_UP_SECONDS_MAX)
        with CpuMeter(groups) as meter:
            result = load(url, requests, seconds=self._seconds)
        return result, {name: used / result.requests * 1e3 for name, used in meter.used.items()}


def measure(bench: Bench, case: Case, rounds: int) -> dict:
    """Alternate the floor and the case; give the medians."""
    ratios, cpu_ratios, kept = [], [], []
    for _ in range(rounds):
        floor, floor_cpu = bench.floor(case)
        result, cpu = bench.case(case)
        wrong = {s: n for s, n in result.statuses.items() if s != case.status}
        if wrong:
            raise SystemExit(f"{case.name}: expected {case.status}, got {dict(result.statuses)}")
        ratios.append(result.per_second / floor.per_second)
        cpu_ratios.append(floor_cpu["service"] / (sum(cpu.values()) - cpu["generator"]))
        kept.append((floor, floor_cpu, result, cpu))
    floor, floor_cpu, result, cpu = kept[len(kept) // 2]
    return {
        "ratio": statistics.median(ratios),
        "cpu_ratio": statistics.median(cpu_ratios),
        "floor": floor,
        "floor_cpu": floor_cpu,
        "result": result,
        "cpu": cpu,
    }


HEADINGS = (
    "| request | requests/s | of the floor | by CPU | aim | p50 ms | p99 ms "
    "| service ms | PostgreSQL ms | Valkey ms |"
)


def row(case: Case, found: dict) -> str:
    result, cpu = found["result"], found["cpu"]
    aim = f"{case.aim:.2f}" if case.aim else ""
    return (
        f"| {case.name} | {result.per_second:,.0f} | **{found['ratio']:.2f}** "
        f"| {found['cpu_ratio']:.2f} | {aim} "
        f"| {result.latency_ms(50):.1f} | {result.latency_ms(99):.1f} "
        f"| {cpu['service']:.2f} | {cpu['postgres']:.2f} | {cpu['valkey']:.2f} |"
    )


PARTS = {"requests": cases, "growth": growth_cases}


def measure_part(name: str, options: argparse.Namespace) -> None:
    """Each part has a Railgate of its own: what one has sold is not in the other's way."""
    print(f"Starting a Railgate for the {name} ...", flush=True)
    with started_bench_town() as town, contextlib.ExitStack() as floors:
        bench, found = Bench(town, floors, options.seconds), None
        print(HEADINGS + "\n" + "|---" * 10 + "|", flush=True)
        for case in PARTS[name](BenchTown(town)):
            if options.only in case.name:
                found = measure(bench, case, options.rounds)
                print(row(case, found), flush=True)
        if found:
            floor, cpu = found["floor"], found["floor_cpu"]
            print(
                f"\nThe floor (Flask hello): {floor.per_second:,.0f} requests/s, "
                f"{cpu['service']:.2f} ms CPU; the generator itself: {cpu['generator']:.2f} ms.\n"
            )


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", default="", help="the name of one case")
    parser.add_argument("--part", choices=list(PARTS), action="append", help="or all of them")
    options = parser.parse_args()
    for name in options.part or PARTS:
        measure_part(name, options)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
