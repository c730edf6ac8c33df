"""Ray of a run's own: on this machine and its loopback interface alone, in a private folder, gone when the block ends."""

import contextlib
import os
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from versemill.errors import VersemillError
from versemill.mill.run import signals
from versemill.mill.run.watchdog import clear_own

PREFIX = "versemill-ray-"
PARENT = "/tmp"
"""Ray's socket paths have to be short, so the folder can't lie where TMPDIR says."""

STORE_BYTES = 128 * 2**20
"""Object store of an embedded run: rows go through files, only small answers through Ray."""

VITAL = ("raylet", "gcs_server")
"""Ray's processes without which nothing goes on, and whose death Ray itself takes a minute to notice."""

PATIENCE_SECONDS = 8.0
"""How long the block may take to end after one of them died, before this process is ended from a thread of its own."""


def private() -> dict[str, str]:
    """Ray's settings for a cluster of our own, which it reads when it is imported, not later.

    A token of our own, which Ray writes nowhere; and the loopback address for this node, which Ray calls a machine
    without a cluster: else it looks the machine's own address up, listens there, and asks the name server.
    """
    if "ray" in sys.modules:
        return {}
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }


@dataclass(frozen=True)
class Processes:
    """Ray's own processes, children of this one."""

    vital: tuple[psutil.Process, ...] = ()

    def check(self) -> None:
        """Raises VersemillError if one of them died; the others are ended then, since none works without the others."""
        if (name := self.dead()) is None:
            return
        end_children(())
        raise VersemillError(lost(name))

    def dead(self) -> str | None:
        """The name of one that died."""
        return next((name for name, process in zip(VITAL, self.vital, strict=False) if not _lives(process)), None)


NONE = Processes()
"""Where Ray was started by somebody else, who looks after its processes."""


def lost(name: str) -> str:
    """What is said when one of Ray's processes is gone."""
    return f"Ray's process {name} was killed from outside, or ran out of memory; run the same command to go on"


@contextmanager
def started(cpus: int, store: int, environment: Mapping[str, str], options: Mapping[str, Any]) -> Iterator[Processes]:
    """Starts Ray for the length of a block, and ends every process that it started, however the block ends.

    Args:
        cpus: slots. store: bytes of the object store, of which it gets a third of the memory at most.
        environment: variables for the workers. options: of `ray.init`.
    """
    import ray

    remove_leftovers()
    folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=PARENT)  # 0700: Ray opens all within to everybody
    before = {key: os.environ.get(key) for key in environment}
    others = {process.pid for process in psutil.Process().children(recursive=True)}
    os.environ.update(environment)
    ended = threading.Event()
    try:
        with _kept_to_itself():
            ray.init(
                address="local",  # else Ray joins the cluster that RAY_ADDRESS names
                num_cpus=cpus,
                include_dashboard=False,
                object_store_memory=max(STORE_BYTES, min(store, psutil.virtual_memory().total // 3)),
                _temp_dir=f"{folder}/ray",
                _node_ip_address="127.0.0.1",
                **options,
            )
        signals.rearm()
        children = {process.name(): process for process in psutil.Process().children() if process.pid not in others}
        processes = Processes(tuple(children[name] for name in VITAL))
        threading.Thread(target=_last_resort, args=(processes, ended, folder), daemon=True).start()
        yield processes
    finally:
        try:
            ray.shutdown()
        finally:
            ended.set()
            end_children(others)
            for key, value in before.items():
                os.environ.pop(key, None)
                if value is not None:
                    os.environ[key] = value
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _kept_to_itself() -> Iterator[None]:
    """Keeps Ray from starting its dashboard, and from taking SIGTERM over.

    `include_dashboard=False` starts the process all the same, for a usage report that asks the cloud's metadata service who
    it is even where reports are off. Ray's handler of SIGTERM exits with code 15 in the middle of its start.
    """
    from ray._private import services, utils

    kept = services.start_api_server, utils.set_sigterm_handler
    services.start_api_server = lambda *args, **options: (None, None)
    utils.set_sigterm_handler = lambda handler: None
    try:
        yield
    finally:
        services.start_api_server, utils.set_sigterm_handler = kept


def _last_resort(processes: Processes, ended: threading.Event, folder: str) -> None:
    """Ends this process when a vital one died and a call into Ray does not come back: Ray waits a minute, then aborts."""
    while not ended.wait(1.0):
        if (name := processes.dead()) is not None:
            end = time.monotonic() + PATIENCE_SECONDS
            if not ended.wait(end - time.monotonic()):
                os.write(2, f"versemill: {lost(name)}\n".encode())
                end_children(())
                shutil.rmtree(folder, ignore_errors=True)
                clear_own()
                os._exit(VersemillError.exit_code)


def end_children(spared: set[int] | tuple[int, ...]) -> None:
    """Kills this process's descendants but those with the `spared` numbers."""
    for process in psutil.Process().children(recursive=True):
        if process.pid not in spared:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def remove_leftovers() -> None:
    """Removes the folders of runs of this user that were killed."""
    for folder in Path(PARENT).glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX).split("-")[0]
        try:
            mine = folder.lstat().st_uid == os.getuid()
        except OSError:
            continue
        if mine and pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
