"""Ray, started for one run or joined at an address: quiet, private, and gone when the run is over."""

import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from versemill.errors import ConfigError, VersemillError
from versemill.mill.folder.fingerprint import machine
from versemill.mill.run import local
from versemill.mill.run.local import NONE, Processes
from versemill.mill.run.watchdog import ExitReport, Monitor, Observation

WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "TBB_NUM_THREADS": "1",
}
"""One asset is one core's work: parallelism comes from many assets."""

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Ray prints a paragraph to standard output for each worker that dies; the ledger has the facts.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
}

KNOCK_SECONDS = 10.0
START_SECONDS = 120.0
"""How long a node may take to start its monitor: it may have to fetch and unpack the package first."""


@dataclass(frozen=True)
class Cluster:
    """What a run may use: CPU cores and GPUs of all nodes.

    Attributes:
        embedded: the cluster was started for the run. here: it is of this machine alone.
        processes: Ray's own, where we started them.
    """

    cpus: int
    gpus: float
    embedded: bool
    here: bool
    processes: Processes = NONE


@contextmanager
def joined(
    address: str | None,
    workers: int | None = None,
    environment: Mapping[str, Any] | None = None,
    store: int | None = None,
    verbose: bool = False,
) -> Iterator[Cluster]:
    """Ray for the length of a block: one that is initialised already, the one at `address`, or one of our own.

    Our own listens on the loopback interface with a secret token that only its processes know, keeps its files in a
    private folder that goes when the block ends, and sends nothing anywhere. If this process is killed, its processes die
    with it and the next run removes the folder.

    Args:
        address: of a running cluster ("auto", "host:port"), or None.
        workers: CPU slots of our own cluster; None is one per core that this process may use.
        environment: Ray's `runtime_env` for the workers of a cluster at an address; see `mill.run.shipping`.
        store: bytes that our own cluster's object store should hold; it gets a third of the memory at most.
        verbose: let Ray say what it has to say, and show what workers print.

    Raises:
        ConfigError: there is no cluster at the address.
    """
    for name, setting in (QUIET | ({} if address else local.private())).items():
        os.environ.setdefault(name, setting)
    import ray

    loud: dict[str, Any] = {"log_to_driver": verbose, "logging_level": "info" if verbose else "error"}
    if address is None:
        loud["job_config"] = _job_config()
    if ray.is_initialized():
        yield _facts(ray, embedded=False, here=address is None)
        return
    if address is not None:
        try:
            _knock(address)
            ray.init(address=address, runtime_env=dict(environment or {"env_vars": WORKER_ENVIRONMENT}), **loud)
        except (OSError, ValueError, RuntimeError) as error:
            raise ConfigError(f"can't join the Ray cluster at '{address}': {str(error).splitlines()[0]}") from error
        try:
            yield _facts(ray, embedded=False, here=False)
        finally:
            ray.shutdown()
        return
    inherited = {**WORKER_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(_search_path())}
    with local.started(workers or cores(), store or 0, inherited, loud) as processes:
        yield _facts(ray, embedded=True, here=True, processes=processes)


def _knock(address: str) -> None:
    """Raises OSError where nothing listens at "host:port": Ray itself would try again for many minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _job_config() -> Any:
    """Ray's settings of a job that keep the working directory out of the workers' search path.

    Ray puts it before all else, so that a folder `versemill` there, such as a checkout, would be taken for the installed
    package. What this process finds, the workers find by `_search_path`.
    """
    from ray.job_config import JobConfig

    class Job(JobConfig):
        def _serialize(self) -> bytes:
            self._py_driver_sys_path.clear()
            return super()._serialize()

    return Job()


def _search_path() -> list[str]:
    """Where workers find the modules that this process finds."""
    return [path for path in sys.path if path]


def _facts(ray: Any, embedded: bool, here: bool, processes: Processes = NONE) -> Cluster:
    resources = ray.cluster_resources()
    return Cluster(int(resources.get("CPU", 1)), float(resources.get("GPU", 0)), embedded, here, processes)


def try_task() -> str:
    """Starts Ray, runs one task on it and stops it; says what was found. For `versemill doctor`."""
    started = time.monotonic()
    with joined(None, 1) as cluster:
        import ray

        pid = ray.get(ray.remote(lambda: os.getpid()).remote())
        text = f"Ray {ray.__version__}: a task ran in process {pid}; {cluster.cpus} slot, {cores()} cores"
    return f"{text}; started and stopped in {time.monotonic() - started:.0f} s"


class Monitors:
    """The monitors of all nodes of the cluster: this machine's own, and one actor on each other node.

    Args:
        run: id of the run. own: modules of sources that are not ours, for the fingerprint.
    """

    def __init__(self, run: str, own: tuple[str, ...] = ()) -> None:
        self._run, self._own, self._local = run, own, Monitor(run)
        self._remote: dict[str, Any] = {}
        self._machines: dict[str, dict[str, Any]] = {}

    def machines(self) -> dict[str, dict[str, Any]]:
        """Node -> `fingerprint.machine` of every other node that is there now.

        Raises:
            ConfigError: one does not answer, or can't import this package.
        """
        self._visit_new_nodes()
        self._machines = {node: self._machine(node, actor) for node, actor in self._remote.items()}
        return self._machines

    def _machine(self, node: str, actor: Any) -> dict[str, Any]:
        import ray

        try:
            return ray.get(actor.machine.remote(self._own), timeout=START_SECONDS)
        except (ray.exceptions.RayError, ImportError) as error:
            why = " ".join(str(error).split())[-300:]
            raise ConfigError(
                f"node {node[:12]} can't work for this run ({why}); install versemill there, or send it: --set run.ship=true"
            ) from error

    def look(self) -> list[Observation]:
        """What all of them see; a node that does not answer in time is left out this once."""
        import ray

        for node in self._visit_new_nodes():
            try:
                facts = self._machine(node, self._remote[node])
            except ConfigError:
                if node in self._others():
                    raise
                continue
            if facts not in [machine(self._own), *self._machines.values()]:
                raise VersemillError(
                    f"node {node[:12]} joined, and differs from the others; run the same command again to use it"
                )
            self._machines[node] = facts
        observations = self._local.look()
        for actor in list(self._remote.values()):
            try:
                observations += ray.get(actor.look.remote(), timeout=2)
            except ray.exceptions.RayError:
                continue
        return observations

    def exit_report(self, token: str) -> ExitReport | None:
        """What a dead task left, from the node it was on."""
        import ray

        report = self._local.exit_report(token)
        for actor in self._remote.values() if report is None else ():
            try:
                report = report or ray.get(actor.exit_report.remote(token), timeout=2)
            except ray.exceptions.RayError:
                continue
        return report

    def kill(self, observation: Observation) -> None:
        """Kills the process that one of them saw at an asset; see `Monitor.kill`."""
        self._local.kill(observation)
        for actor in self._remote.values():
            actor.kill.remote(observation)

    def sweep(self) -> None:
        """Removes the scratch folders of all nodes."""
        import ray

        self._local.sweep()
        for actor in self._remote.values():
            try:
                ray.get(actor.sweep.remote(), timeout=2)
                ray.kill(actor)
            except ray.exceptions.RayError:
                continue

    def _others(self) -> set[str]:
        """The nodes of the cluster but this one."""
        import ray

        return {node["NodeID"] for node in ray.nodes() if node["Alive"]} - {ray.get_runtime_context().get_node_id()}

    def _visit_new_nodes(self) -> list[str]:
        """Sends a monitor to each node that has none; returns those nodes."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        others = self._others()
        self._remote = {node: actor for node, actor in self._remote.items() if node in others}
        new = sorted(others - set(self._remote))
        for node in new:
            strategy = NodeAffinitySchedulingStrategy(node, soft=False)
            kind = ray.remote(Monitor).options(num_cpus=0, scheduling_strategy=strategy)
            self._remote[node] = kind.remote(self._run)
        return new
