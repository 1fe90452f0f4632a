"""Runs whose command was killed: Dagster takes them for running, and the warehouse's pool waits for them for ever.

A command leaves the name of its process on its run. The next command, or the UI when it starts, marks what no process
stands behind any more as failed.
"""

import dagster as dg
from dagster._core.storage.tags import GRPC_INFO_TAG, HIDDEN_TAG_PREFIX

from resources.processes import is_gone, this_process_name

PROCESS = f"{HIDDEN_TAG_PREFIX}athena_process"
"""Run tag of a run made by a command: host, process id and when the process began (seconds, UTC). The UI hides it."""

UNFINISHED = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def this_process() -> dict[str, str]:
    """The tag of a run that this process is about to make."""
    return {PROCESS: this_process_name()}


def close_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark as failed every unfinished run of a command whose process is gone; returns their ids.

    A run of another host is left alone: nobody here can tell whether it lives.
    """
    closed = []
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        # A run that the UI makes of a command's run takes over its tags, not its process.
        name = run.tags.get(PROCESS) if run.parent_run_id is None and GRPC_INFO_TAG not in run.tags else None
        if name is not None and is_gone(name):
            instance.report_run_failed(run, "The command that ran this was killed, or the machine stopped.")
            closed.append(run.run_id)
    return closed


def close_abandoned_runs_of_home() -> list[str]:
    """The same for the home that DAGSTER_HOME names."""
    with dg.DagsterInstance.get() as instance:
        return close_abandoned_runs(instance)
