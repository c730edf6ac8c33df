"""The processes of a run: workers, renderers and monitors; what they share, and the fingerprint they work under."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from versemill.config import digest
from versemill.device import resolve
from versemill.errors import ConfigError, MissingDependencyError
from versemill.mill.folder.dataset import differences
from versemill.mill.folder.fingerprint import device_facts, machine
from versemill.mill.pipeline import outside, stages
from versemill.mill.pipeline.config import Pipeline
from versemill.mill.pipeline.stages import Recipe
from versemill.mill.run.cluster import Cluster, Monitors
from versemill.mill.run.renderers import Renderers
from versemill.mill.run.watchdog import ExitReport, Observation, new_run
from versemill.mill.run.worker import Keep, Kernels, Maker, StagedRows, Work, load_kernels, seal_shard, work

START_SECONDS = 300.0
"""How long render actors may take to start: a cold machine compiles their kernels first."""

VIEW_BYTES = 24
"""Of a pixel of a view with the usual passes, as arrays, on their way from a renderer to a worker."""

Kept = TypeVar("Kept", bound=Keep)

PER_GPU = 2
"""Renderers that share a GPU: one packs its asset and reads images back while the other's kernels run."""


class Crew(Generic[Kept]):
    """Who does the work of one run.

    Args:
        pipeline: limits and devices. recipe: how an asset is made; its fingerprint and its way to render are set here.
        keep: (id of the run, fingerprint) -> what opens the place for finished assets, in this process and in workers.
        maker: makes one asset; where it is not `stages.make`, no kernels are loaded.
        say: shows one line.

    Attributes (from `working` on):
        id: of the run; also the name of its scratch folders.
        width: tasks that run at once. renderer_count: render actors; 0 where workers render.
        print, fingerprint: what decides the bytes besides config and seed, and its digest.
        keep: opens the place for finished assets.
        monitors: who watch the workers of all nodes.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        recipe: Recipe,
        keep: Callable[[str, str], Callable[[], Kept]],
        maker: Maker,
        say: Callable[[str], None],
    ) -> None:
        self.id = new_run()
        self._pipeline, self._recipe, self._keep, self._maker, self._say = pipeline, recipe, keep, maker, say
        self._own = outside.modules(pipeline)
        self._renderers: Renderers | None = None

    @property
    def renderer_count(self) -> int:
        """Render actors of this run."""
        return len(self._renderers.actors) if self._renderers else 0

    @contextmanager
    def working(self, cluster: Cluster) -> Iterator[None]:
        """Starts renderers and monitors on a cluster for the length of a block, and leaves nothing behind.

        Raises:
            ConfigError: nodes of unlike versions; renderers that can't start.
            MissingDependencyError: the render device is not there.
        """
        import ray

        pipeline, recipe = self._pipeline, self._recipe
        limits, real = pipeline.run, self._maker is stages.make
        slots = cluster.cpus if limits.workers == "auto" else limits.workers
        self.width = max(1, min(slots, cluster.cpus))
        device = _device(pipeline, cluster) if real else "cpu"
        count = _renderer_count(pipeline, cluster, device)
        queries = tuple(("versemill.queries", name) for name in sorted({pipeline.curate.device, pipeline.fields.device}))
        drawing = _kernels(device) if real else ()
        kernels = (() if count else drawing) + (queries if real else ())
        if cluster.here:
            self._warm(drawing + queries if real else ())
        share = _tasks_need_gpu(pipeline, device, count)
        with self._monitors() as self.monitors:
            facts = {"name": "cpu"}
            if count:
                each = (
                    0.0
                    if pipeline.render.device.startswith("cuda:")
                    else min(1.0, cluster.gpus / count) * (0.5 if share else 1.0)
                )
                self._renderers = Renderers(self.id, count, each, recipe.draw, drawing, device)
                facts = self._renderers.device(START_SECONDS)
                recipe = replace(recipe, draw=self._renderers.remote)
            elif real:
                facts = device_facts(device)
            self.print = {**self._machine(), "device": facts}
            self.fingerprint = digest(self.print)
            self.keep = self._keep(self.id, self.fingerprint)
            recipe = replace(recipe, fingerprint=self.fingerprint)
            self._shared = ray.put(Work(self.id, recipe, self._maker, self.keep, kernels))
            gpus = min(1.0, cluster.gpus * (0.5 if count else 1.0) / self.width) if share else 0.0
            self._work = ray.remote(work).options(num_cpus=1, num_gpus=int(gpus * 1000) / 1000, max_retries=0)
            self._seal = ray.remote(seal_shard).options(num_cpus=1, max_retries=0)
            try:
                yield
            finally:
                if self._renderers:
                    self._renderers.stop()

    def work(self, token: str, orders: tuple[stages.Order, ...]) -> Any:
        """Starts the making of a chunk; a Ray reference to its `Answer`."""
        return self._work.remote(self._shared, token, orders)

    def seal(self, shard: int, rows: StagedRows) -> Any:
        """Starts the sealing of a shard from its staged rows; a Ray reference to `worker.seal_shard`'s answer."""
        return self._seal.remote(self._shared, shard, rows)

    def kill_renderer(self, observation: Observation, reason: str, message: str) -> None:
        """Kills the renderer that is seen at an asset; Ray starts another in its place."""
        if self._renderers and observation.memory_mb:  # else it is dead already
            self._renderers.condemn(observation.index, reason, message)
            self.monitors.kill(observation)

    def blame(self, index: int) -> tuple[str, str, ExitReport] | None:
        """See `Renderers.blame`."""
        return self._renderers.blame(index, self.monitors) if self._renderers else None

    @contextmanager
    def _monitors(self) -> Iterator[Monitors]:
        monitors = Monitors(self.id, self._own)
        try:
            yield monitors
        finally:
            monitors.sweep()

    def _machine(self) -> dict[str, Any]:
        """The fingerprint of the nodes. They must have the same code; unlike processors are named as such.

        Raises:
            ConfigError: another version of anything on one of the nodes.
        """
        mine, others = machine(self._own), self.monitors.machines()
        loose = ("instructions", "system")
        for name, facts in others.items():
            old, new = ({k: v for k, v in each.items() if k not in loose} for each in (mine, facts))
            if differing := differences(old, new):
                raise ConfigError(
                    f"node {name} has other software than the driver: {'; '.join(differing[:3])}; install the same, "
                    "or send it: --set run.ship=true"
                )
        if all(facts == mine for facts in others.values()):
            return mine
        mixed = {key: ["mixed", *sorted({str(each[key]) for each in (mine, *others.values())})] for key in loose}
        self._say(
            "the cluster's nodes have unlike processors: shards made by them are equivalent, not equal in their last bits"
        )
        return {**mine, **mixed}

    def _warm(self, kernels: Kernels) -> None:
        """Compiles the kernels in this process, so that no worker has to."""
        started = time.monotonic()
        load_kernels(kernels)
        if time.monotonic() - started > 5:
            self._say(f"compiled the kernels in {time.monotonic() - started:.0f} s; they are cached from now on")


def check(pipeline: Pipeline) -> None:
    """Refuses what this machine can't render with, before anything is written.

    Raises:
        MissingDependencyError: the device or Blender's Python is not here.
        ConfigError: the score head or an image model of curation is no such file.
    """
    resolve(pipeline.render.device)
    python = Path(pipeline.render.cycles.python)
    if pipeline.render.engine == "cycles" and not python.exists():
        raise MissingDependencyError(
            f"render.engine is cycles, and Blender's Python '{python}' is not here; `make blender` installs it, or set "
            "render.cycles.python"
        )
    if pipeline.curate.score_head:
        from versemill.curation.scores import LinearHead

        LinearHead.load(Path(pipeline.curate.score_head))
    for path in pipeline.curate.image_models:
        if not Path(path).is_file():
            raise ConfigError(
                f"curate.image_models names '{path}', which does not exist; put a TorchScript file there, or leave it out"
            )


def store_bytes(pipeline: Pipeline, cores: int) -> int | None:
    """Bytes of views that are on their way from renderers to workers, where there may be renderers; None where not."""
    if pipeline.run.renderers == 0 or (pipeline.run.renderers == "auto" and resolve(pipeline.render.device) == "cpu"):
        return None
    from versemill.render.presets import CAMERAS

    render = pipeline.render
    views = render.cameras.views or CAMERAS[render.cameras.preset].views
    return 2 * VIEW_BYTES * views * render.width * render.height * (cores + 2)


def _device(pipeline: Pipeline, cluster: Cluster) -> str:
    """The Warp device that renders: of this machine, or of the cluster's GPU nodes.

    Raises:
        MissingDependencyError: it is not there.
    """
    name = pipeline.render.device
    if cluster.here or name == "cpu":
        return resolve(name)
    if cluster.gpus:
        return "cuda" if name == "auto" else name
    if name != "auto":
        raise MissingDependencyError(f"render.device is '{name}', and no node of the cluster has a GPU")
    return "cpu"


def _renderer_count(pipeline: Pipeline, cluster: Cluster, device: str) -> int:
    """Renderers per GPU, or of the one device that is named with its number; none where workers render."""
    if pipeline.run.renderers != "auto":
        return pipeline.run.renderers
    if pipeline.render.engine == "cycles" or not device.startswith("cuda"):
        return 0
    return PER_GPU * (1 if pipeline.render.device.startswith("cuda:") else max(1, int(cluster.gpus)))


def _tasks_need_gpu(pipeline: Pipeline, device: str, renderers: int) -> bool:
    """Whether the workers' own stages use a GPU."""
    if pipeline.render.engine == "cycles" and pipeline.render.cycles.compute != "cpu":
        return True
    queries = any(name != "cpu" for name in (pipeline.curate.device, pipeline.fields.device))
    return queries or (device.startswith("cuda") and not renderers)


def _kernels(device: str) -> Kernels:
    from versemill.render import KERNELS

    return tuple((name, device) for name in KERNELS)
