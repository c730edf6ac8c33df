"""Rendering in processes of its own: one Ray actor per GPU renders for the workers of all nodes, also those without a GPU.

A worker calls the actor as it would call `stages.draw`; assets queue there and find device, kernels and memory warm. An
actor can't be cancelled: one that hangs, outgrows its memory or dies is replaced by Ray under the same handle, the asset
that it was on is blamed, and the assets that waited for it are retried.
"""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from versemill.asset import Asset
from versemill.errors import ConfigError, MissingDependencyError
from versemill.mill.pipeline.stages import Draw, RendererLost
from versemill.mill.run.watchdog import RENDERER, ExitReport, StageNote
from versemill.mill.run.worker import Kernels, die_with_parent, load_kernels
from versemill.render.config import RenderConfig
from versemill.views import Views

if TYPE_CHECKING:
    from versemill.mill.run.cluster import Monitors


class Renderer:
    """The actor's side."""

    def __init__(self, run: str, number: int, draw: Draw, kernels: Kernels, device: str) -> None:
        self._run, self._number, self._draw, self._device = run, number, draw, device
        die_with_parent()
        load_kernels(kernels)

    def device(self) -> dict[str, Any]:
        """What the fingerprint says of this actor's device."""
        from versemill.mill.folder.fingerprint import device_facts

        return device_facts(self._device)

    def draw(self, asset: Asset, config: RenderConfig) -> tuple[Views, tuple[float, float]]:
        """`stages.draw`, with a note for the watchdog while it lasts."""
        with StageNote(self._run, f"{RENDERER}{self._number}-{os.getpid()}") as stage_note:
            stage_note.write(asset.index, "render")
            return self._draw(asset, config)


@dataclass(frozen=True)
class Remote:
    """The worker's side: a `stages.Draw` that asks one of the actors."""

    actors: tuple[Any, ...]

    def __call__(self, asset: Asset, config: RenderConfig) -> tuple[Views, tuple[float, float]]:
        """What the actor answers; its own errors are raised as they were there.

        Raises:
            RendererLost: it died.
        """
        import ray

        try:
            return ray.get(self.actors[asset.index % len(self.actors)].draw.remote(asset, config))
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            raise RendererLost(f"{type(error).__name__}: {str(error).splitlines()[0][:200]}") from None


class Renderers:
    """The driver's side: starts the actors, kills one that is over its limits, and knows who was to blame.

    Args:
        run: id of the run. count: actors. gpus: share of a GPU that each takes. They take no CPU slot: a worker that waits
            for one gives its own back.
        draw, kernels, device: what they do; the device is resolved where they run.
    """

    def __init__(self, run: str, count: int, gpus: float, draw: Draw, kernels: Kernels, device: str) -> None:
        import ray

        kind = ray.remote(Renderer).options(num_cpus=0, num_gpus=gpus, max_restarts=-1, max_task_retries=0)
        self.actors = tuple(kind.remote(run, number, draw, kernels, device) for number in range(count))
        self.remote = Remote(self.actors)
        self._verdicts: dict[int, tuple[str, str]] = {}

    def device(self, patience: float) -> dict[str, Any]:
        """What the fingerprint says of their devices; those of unlike GPUs are all named.

        Raises:
            ConfigError: they do not start within `patience` seconds.
            MissingDependencyError: the device is not there.
        """
        import ray

        try:
            devices = ray.get([actor.device.remote() for actor in self.actors], timeout=patience)
        except ray.exceptions.GetTimeoutError as error:
            raise ConfigError(
                f"no render actor could start within {patience:.0f} s: the cluster has no free GPU or core for "
                f"{len(self.actors)}; lower run.renderers, or set it to 0"
            ) from error
        except ray.exceptions.RayActorError as error:
            raise MissingDependencyError(f"the render actors can't start: {_reason(error)}") from error
        distinct = [facts for n, facts in enumerate(devices) if facts not in devices[:n]]
        return distinct[0] if len(distinct) == 1 else {"name": "mixed", "devices": sorted(distinct, key=str)}

    def condemn(self, index: int, reason: str, message: str) -> None:
        """Says why the actor that renders an asset is killed; the first reason stands."""
        self._verdicts.setdefault(index, (reason, message))

    def blame(self, index: int, monitors: "Monitors") -> tuple[str, str, ExitReport] | None:
        """(reason, message, last lines of its log) where an actor died of this asset; None where it died of another, or alone.

        An actor that lives takes its note along when it has rendered an asset; one that died on it leaves it behind.
        """
        seen = [each for each in monitors.look() if each.token.startswith(RENDERER) and each.index == index]
        report = monitors.exit_report(seen[0].token) if seen else None
        reason, message = self._verdicts.pop(index, ("crashed", ""))
        if report is None:
            return None
        died_of = f"its renderer died of {report.signal}" if report.signal else "its renderer died without a trace of why"
        return reason, message or died_of, report

    def stop(self) -> None:
        """Ends the actors."""
        import ray

        for actor in self.actors:
            ray.kill(actor)


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
