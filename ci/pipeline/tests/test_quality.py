"""The local quality gate misses its bars where SonarQube's would."""

import re

import pytest
from ci.pipeline import bars, coverage, duplication, quality
from ci.pipeline.gates import State

PROPERTIES = """\
sonar.sources=apps
sonar.exclusions=apps/*/tests/**,**/migrations/**
sonar.coverage.exclusions=**/*.js
railgate.gate.coverage=80
railgate.gate.line_coverage=80
railgate.gate.branch_coverage=50
railgate.gate.new_coverage=80
railgate.gate.duplicated_lines_density=3
railgate.gate.new_duplicated_lines_density=3
railgate.small_change_lines=20
"""
PATH = "apps/order/src/order/prices.py"


def report(covered: int, missed: int, conditions: str = "100% (2/2)") -> str:
    lines = "".join(
        f'<line number="{n}" hits="{int(n <= covered)}"/>' for n in range(2, covered + missed + 1)
    )
    return (
        f'<coverage><packages><package><classes><class filename="{PATH}"><lines>'
        f'<line number="1" hits="1" branch="true" condition-coverage="{conditions}"/>{lines}'
        "</lines></class></classes></package></packages></coverage>"
    )


def lay_out(repository, xml: str, lines: int = 100) -> None:
    repository.write("sonar-project.properties", PROPERTIES)
    repository.write(PATH, "x = 1\n" * lines)
    repository.write("build/coverage.xml", xml)


def test_coverage_below_the_bar_fails(repository):
    lay_out(repository, report(covered=79, missed=21))
    result = quality.coverage_gate(repository.space())
    assert result.state == State.FAILED
    assert any(fault.startswith("line_coverage is 79.0 %") for fault in result.faults)


def test_coverage_above_every_bar_passes(repository):
    lay_out(repository, report(covered=85, missed=15))
    assert quality.coverage_gate(repository.space()).state == State.PASSED


def test_ways_not_taken_fail_though_every_line_ran(repository):
    lay_out(repository, report(covered=100, missed=0, conditions="25% (1/4)"))
    result = quality.coverage_gate(repository.space())
    assert [fault.split()[0] for fault in result.faults] == ["branch_coverage"]


def test_untested_new_lines_fail_though_the_whole_is_well_covered(repository):
    lay_out(repository, report(covered=270, missed=0), lines=270)
    base = repository.commit(PATH, "x = 1\n" * 270)
    repository.write(PATH, "x = 1\n" * 270 + "y = 2\n" * 30)
    repository.write("build/coverage.xml", report(covered=270, missed=30))
    result = quality.coverage_gate(repository.space(base))
    assert [fault.split()[0] for fault in result.faults] == ["new_coverage"]


def test_a_change_of_a_few_lines_is_not_held_against_the_bar_of_new_code(repository):
    lay_out(repository, report(covered=270, missed=0), lines=270)
    base = repository.commit(PATH, "x = 1\n" * 270)
    repository.write(PATH, "x = 1\n" * 270 + "y = 2\n" * 5)
    repository.write("build/coverage.xml", report(covered=270, missed=5))
    assert quality.coverage_gate(repository.space(base)).state == State.PASSED


def test_without_a_report_the_gate_says_that_it_did_not_run(repository):
    assert quality.coverage_gate(repository.space()).state == State.NOT_RUN


def test_coverage_counts_lines_and_conditions_as_sonar_does():
    lines = [coverage.Line(1, True, 4, 1), coverage.Line(2, True), coverage.Line(3, False)]
    assert coverage.measured(lines).percent == pytest.approx(100 * (2 + 1) / (3 + 4))


def test_a_diff_names_the_lines_that_it_brings():
    text = "+++ b/a.py\n@@ -1,2 +1 @@\n+x\n@@ -9,0 +8,3 @@\n+++ b/b.py\n@@ -1 +0,0 @@\n"
    assert coverage.parse_diff(text) == {"a.py": {1, 8, 9, 10}, "b.py": set()}


BLOCK = "".join(
    f"    total_{n} = sum(price * {n} for price in prices if price > {n})\n" for n in range(12)
)


def test_a_copied_block_is_found_whatever_its_indentation_and_comments(repository):
    first = repository.write("a.py", f"def one(prices):\n{BLOCK}")
    commented = BLOCK.replace("\n", "  # the same\n")
    second = repository.write("b.py", f"\n\ndef two(prices):\n{commented}")
    files = {"a.py": duplication.code_lines(first), "b.py": duplication.code_lines(second)}
    (copy,) = duplication.copies(files)
    assert str(copy) == "a.py:2-13 is also b.py:4-15"


def test_nine_lines_or_few_words_are_no_copy(repository):
    short = repository.write("a.py", "".join(BLOCK.splitlines(keepends=True)[:9]))
    thin = repository.write("b.py", "".join(f"x{n} = {n}\n" for n in range(12)))
    for path in (short, thin):
        lines = duplication.code_lines(path)
        assert duplication.copies({"one": lines, "two": lines}) == []


def test_a_planted_copy_fails_the_gate(repository):
    repository.write("sonar-project.properties", PROPERTIES)
    repository.write("apps/order/src/order/a.py", f"def one(prices):\n{BLOCK}")
    repository.write("apps/order/src/order/b.py", f"def two(prices):\n{BLOCK}")
    result = quality.duplication_gate(repository.space())
    assert result.state == State.FAILED
    assert "apps/order/src/order/a.py:2-13 is also apps/order/src/order/b.py:2-13" in result.faults


def test_tests_may_repeat_themselves(repository):
    repository.write("sonar-project.properties", PROPERTIES)
    repository.write("apps/order/tests/test_a.py", f"def one(prices):\n{BLOCK}")
    repository.write("apps/order/tests/test_b.py", f"def two(prices):\n{BLOCK}")
    assert quality.duplication_gate(repository.space()).state == State.PASSED


def test_every_measure_that_is_taken_has_a_bar_in_the_real_properties():
    wanted = bars.bars(bars.properties())
    assert {"coverage", "line_coverage", "branch_coverage", "new_coverage"} <= wanted.keys()
    assert {"duplicated_lines_density", "new_duplicated_lines_density"} <= wanted.keys()
    assert all(bars.operator(name) == "LT" for name in wanted if name.endswith("coverage"))
    assert bars.operator("new_violations") == bars.operator("duplicated_lines_density") == "GT"


def test_sonars_path_patterns_are_understood():
    pattern = bars.matcher("apps/*/tests/**,**/migrations/**,**/*.js")
    assert pattern.match("apps/order/tests/deep/test_x.py")
    assert pattern.match("apps/order/src/order/migrations/versions/1.py")
    assert pattern.match("a.js")
    assert not pattern.match("apps/order/src/tests.py")


def test_what_sonar_is_told_fits_the_layout():
    read = bars.properties()
    found = quality.sources(quality.Workspace.root, read)
    assert "apps/order/src/order/operations.py" in found
    assert not any("/tests/" in path or "/migrations/" in path for path in found)
    reports = {key: value for key, value in read.items() if re.search(r"\.reportPaths?$", key)}
    written = "".join(path.read_text() for path in (bars.ROOT / "ci/pipeline").glob("*.py"))
    assert reports
    assert [key for key, path in reports.items() if path.rpartition("/")[2] not in written] == []
    assert read["sonar.qualitygate.wait"] == "true"
