"""A run whose command was killed must not hold the warehouse's pool against every later run."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest

from resources.abandoned_runs import PROCESS, close_abandoned_runs, this_process


@dg.op(pool="warehouse")
def nothing() -> None: ...


@dg.job
def night() -> None:
    nothing()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def started_run(instance: dg.DagsterInstance, process: str | None) -> str:
    tags = {PROCESS: process} if process is not None else {}
    return instance.create_run_for_job(night, status=dg.DagsterRunStatus.STARTED, tags=tags).run_id


def status_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def name_of(pid: int, offset: float = 0) -> str:
    return f"{socket.gethostname()} {pid} {psutil.Process(pid).create_time() + offset:.2f}"


def test_run_when_its_command_was_killed_then_it_is_marked_as_failed(instance: dg.DagsterInstance) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as command:
        run = started_run(instance, name_of(command.pid))
        assert close_abandoned_runs(instance) == []
        command.kill()
        command.wait()
    assert close_abandoned_runs(instance) == [run]
    assert status_of(instance, run) == dg.DagsterRunStatus.FAILURE
    assert close_abandoned_runs(instance) == []


def test_run_when_its_command_is_dead_and_nobody_has_asked_for_its_exit_code_then_it_is_marked_as_failed(
    instance: dg.DagsterInstance,
) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as command:
        run = started_run(instance, name_of(command.pid))
        while psutil.Process(command.pid).status() != psutil.STATUS_ZOMBIE:
            continue
        assert close_abandoned_runs(instance) == [run]


def test_run_when_its_process_id_belongs_to_another_process_now_then_it_is_marked_as_failed(
    instance: dg.DagsterInstance,
) -> None:
    run = started_run(instance, name_of(psutil.Process().pid, offset=-3600))
    assert close_abandoned_runs(instance) == [run]


def test_run_when_the_ui_made_it_of_a_commands_run_then_it_is_left_alone(instance: dg.DagsterInstance) -> None:
    tags = {PROCESS: name_of(psutil.Process().pid, offset=-3600)}
    parent = instance.create_run_for_job(night, status=dg.DagsterRunStatus.FAILURE, tags=tags).run_id
    instance.create_run_for_job(
        night, status=dg.DagsterRunStatus.STARTED, tags=tags, parent_run_id=parent, root_run_id=parent
    )
    assert close_abandoned_runs(instance) == []


@pytest.mark.parametrize(
    "process",
    [this_process()[PROCESS], None, "another-host 1 0.00"],
    ids=["alive", "not named", "another host"],
)
def test_run_when_its_command_lives_or_cannot_be_known_then_it_is_left_alone(
    instance: dg.DagsterInstance, process: str | None
) -> None:
    run = started_run(instance, process)
    assert close_abandoned_runs(instance) == []
    assert status_of(instance, run) == dg.DagsterRunStatus.STARTED
