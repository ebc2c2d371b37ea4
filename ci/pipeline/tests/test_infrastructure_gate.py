"""What the gate says of `make infrastructure`: passed, failed, or that nobody looked."""

from ci.pipeline import commands
from ci.pipeline.gates import State


def gate(repository, recipe):
    repository.write("Makefile", f"infrastructure:\n\t{recipe}\n")
    return commands.infrastructure_gate(repository.space())


def test_the_gate_that_could_not_look_says_that_it_did_not_run(repository):
    result = gate(repository, "@echo 'NOTHING WAS CHECKED of the infrastructure.' >&2; exit 2")
    assert (result.state, result.sentence[:19]) == (State.NOT_RUN, "NOTHING WAS CHECKED")


def test_the_gate_fails_on_a_fault_and_passes_without(repository):
    assert gate(repository, "@echo '1 faults'; exit 1").state == State.FAILED
    assert gate(repository, "@echo 'No faults.'").state == State.PASSED


def test_a_check_without_gitops_is_not_called_passed(repository):
    assert gate(repository, "@echo 'NOT CHECKED beside gitops.'").state == State.NOT_RUN
