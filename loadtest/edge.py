"""
What one poll of the number that is served costs at the gateway, beside an empty Flask request on
the services' own server settings, one after the other on the same machine.
"""

from dataclasses import dataclass

import psutil
from ci.bench.generator import load, repeated, request_bytes
from ci.bench.processes import CpuMeter, started_floor
from ci.town import Town

SECONDS = 4.0
REQUESTS = 60_000


@dataclass(frozen=True)
class Edge:
    gateway: str
    polls_per_second: float
    poll_cpu_ms: float
    floor_per_second: float
    floor_cpu_ms: float
    generator_cpu_ms: float


def measure_edge(town: Town, window_id: str) -> Edge:
    path = f"{town.base_url}/api/waitingroom/windows/{window_id}/now-serving"
    gateway = psutil.Process(town.pid("gateway"))
    with started_floor(gateway.nice()) as floor:
        load(floor.url, repeated([request_bytes("GET", f"{floor.url}/")], 400), seconds=1.0)
        hellos, hello_cpu, _ = _measure(floor.url, f"{floor.url}/", floor.pid)
        polls, poll_cpu, own = _measure(town.base_url, path, gateway.pid)
    kind = "nginx" if "nginx" in gateway.name() else "Python"
    return Edge(kind, polls, poll_cpu, hellos, hello_cpu, own)


def _measure(base: str, url: str, pid: int) -> tuple[float, float, float]:
    requests = repeated([request_bytes("GET", url)], REQUESTS)
    with CpuMeter({"served by": pid}) as meter:
        result = load(base, requests, seconds=SECONDS)
    per_request = {name: 1e3 * used / result.requests for name, used in meter.used.items()}
    return result.per_second, per_request["served by"], per_request["generator"]
