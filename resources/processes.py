"""Processes by a name that outlives them, so that another process can tell whether one was killed."""

import socket

import psutil

CLOCK_SLACK_SECONDS = 2.0
"""How far the beginning of one process may differ between two looks at it, when the clock is set meanwhile."""


def this_process_name() -> str:
    """Host, process id and when the process began (seconds, UTC)."""
    process = psutil.Process()
    return f"{socket.gethostname()} {process.pid} {process.create_time():.2f}"


def is_gone(name: str) -> bool:
    """Whether no process stands behind a name any more; one of another host is taken to live: nobody here can tell."""
    host, pid, began = name.rsplit(" ", 2)
    if host != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(pid))
        another = abs(process.create_time() - float(began)) > CLOCK_SLACK_SECONDS
        return another or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
