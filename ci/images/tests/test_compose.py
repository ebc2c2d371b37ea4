"""compose.yaml starts what `make run` starts, told the same, and hardened as in the cluster."""

import re
from pathlib import Path

import pytest
from ci.images import composing
from ci.images.building import SERVICES as IMAGES
from ci.images.building import WITHOUT

from railgate import town as table

VARIABLE = re.compile(r"\$\{([A-Z_]+):\?\}")
ADDRESS = re.compile(r"(?:https?|smtp|redis|postgresql)://(?:[^@]*@)?([a-z]+)[:/]?")
NAMES = [service.name for service in table.SERVICES]


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    folder = tmp_path_factory.mktemp("town")
    names = [*NAMES]
    return table.Town(
        folder=folder,
        base_port=8080,
        services=table.SERVICES,
        keys=table.town_keys(folder, table.SERVICES),
        database_urls=dict.fromkeys(names, "postgresql://"),
        redis_urls=dict.fromkeys(names, "redis://"),
    )


def told(variables) -> set[str]:
    return set(variables) - set(table.PASSED_ON)


@pytest.mark.parametrize("service", table.SERVICES, ids=NAMES)
def test_a_service_is_told_in_a_container_what_it_is_told_on_one_machine(composed, town, service):
    here = told(table.service_environment(town, service))
    for name in (service.name, f"{service.name}-worker"):
        assert here - set(composed["services"][name]["environment"]) == set()


@pytest.mark.parametrize("service", table.SERVICES, ids=NAMES)
def test_every_preparation_is_a_container_that_ends_before_the_service_starts(
    composed, town, service
):
    services = composed["services"]
    commands = [
        [str(word) for word in one["command"][2:]]
        for name, one in services.items()
        if name.startswith(f"{service.name}-") and one["restart"] == "on-failure"
    ]
    wanted = [list(p.command[3:]) for p in table.preparation_programs(town, service)]
    assert sorted(commands) == sorted(wanted)
    for name in (service.name, f"{service.name}-worker"):
        conditions = {one["condition"] for one in services[name]["depends_on"].values()}
        assert conditions == {"service_completed_successfully"}


def test_the_neighbours_are_told_the_same_too(composed, town):
    services = composed["services"]
    for name, program in (
        ("sandbox", table.sandbox_program(town)),
        ("mail", table.mail_program(town)),
        ("gateway", table.gateway_program(town)),
    ):
        assert told(program.environment) - set(services[name]["environment"]) == set(), name


def test_every_address_is_a_container_and_every_container_that_is_meant_exists(composed):
    services = composed["services"]
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            for host in ADDRESS.findall(str(value)):
                assert host in services, f"{name} {variable}: {value}"
        for other in service.get("depends_on", {}):
            assert other in services, f"{name} waits for {other}"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in composed["volumes"] or (Path(__file__).parents[3] / source).exists()


def test_every_secret_is_made_and_none_stands_in_the_file(composed, tmp_path):
    text = (Path(__file__).parents[3] / "compose.yaml").read_text()
    made = composing.secrets_of(tmp_path / "keys.json")
    assert set(VARIABLE.findall(text)) <= set(made)
    assert composing.secrets_of(tmp_path / "keys.json") == made
    for name in composed["services"]:
        for variable, value in composed["services"][name].get("environment", {}).items():
            if re.search(r"_KEY$|SECRET|PASSWORD", variable):
                assert VARIABLE.fullmatch(value), f"{name} {variable}"


def test_a_key_of_several_lines_is_one_line_of_the_env_file():
    text = composing.env_file_of({"KEY": "first\nsecond\n", "OTHER": 'a"b'})
    assert text == 'KEY="first\\nsecond\\n"\nOTHER="a\\"b"\n'


def test_ours_are_hardened_and_only_the_loopback_is_listened_on(composed):
    for name, service in composed["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        if service["image"].startswith("railgate/"):
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
            assert service["mem_limit"], name
            assert service["pids_limit"], name


def test_every_key_is_one_that_compose_knows(composed):
    """A misspelt one would be refused by Docker, which is not here to say so."""
    known = {
        "build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image",
        "mem_limit", "networks", "pids_limit", "ports", "read_only", "restart", "security_opt",
        "stop_grace_period", "tmpfs", "user", "volumes",
    }  # fmt: skip
    top = {name for name in composed if not name.startswith("x-")}
    assert top == {"name", "services", "networks", "volumes"}
    for name, service in composed["services"].items():
        assert set(service) <= known, name
        assert set(service.get("build", {})) <= {"context", "dockerfile", "args"}, name
        assert set(service.get("healthcheck", {})) <= {"test", "interval", "retries", "disable"}
        conditions = {one["condition"] for one in service.get("depends_on", {}).values()}
        known_conditions = {"started", "healthy", "completed_successfully"}
        assert conditions <= {f"service_{one}" for one in known_conditions}, name
        assert set(service.get("networks", [])) <= set(composed["networks"]), name


def test_every_image_is_built_once_with_its_own_arguments(composed):
    arguments = {}
    for service in composed["services"].values():
        if "build" in service:
            found = service["build"]["args"]
            arguments[found["SERVICE"]] = found.get("WITHOUT", "")
            assert service["image"] == f"railgate/{found['SERVICE']}:local"
    assert arguments == {name: WITHOUT.get(name, "") for name in IMAGES}
