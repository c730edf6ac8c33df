"""Training on assets that are milled while it trains: `training.fit` with items that come from a `LiveDataset`."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from versemill.config import digest
from versemill.errors import ConfigError
from versemill.files import written_aside
from versemill.mill.live.curriculum import Curriculum
from versemill.mill.live.dataset import LiveDataset
from versemill.mill.live.draws import Draw, Drawing, Epochs, HeldOut, Recorded
from versemill.mill.live.record import DRAWS, Record, read
from versemill.mill.pipeline import config as pipelines
from versemill.mill.pipeline import stages
from versemill.mill.pipeline.config import Pipeline
from versemill.mill.run.worker import Maker
from versemill.render.presets import CAMERAS
from versemill.training.batches import Ordered
from versemill.training.family import Family, Progress
from versemill.training.loop import State, Watch, fit
from versemill.training.recipe import Recipe

PIPELINE = "pipeline.yaml"


class LiveItems(Ordered):
    """The items of a family, asked for in the order of positions, from a dataset that mills them ahead.

    Args:
        live: gives samples. make: (sample) -> item. drawing: which asset each position is.
        recipe: says which positions a process takes; rank, size: which of how many processes this is.
        record: file that each draw is written to; what it holds already is drawn again.
    """

    def __init__(
        self,
        live: LiveDataset,
        make: Callable[[Any], Any],
        drawing: Drawing,
        recipe: Recipe,
        rank: int,
        size: int,
        record: Path,
    ) -> None:
        self._live, self._make, self._drawing, self._recipe = live, make, drawing, recipe
        self._rank, self._size, self._path = rank, size, record
        self._stream: Iterator[tuple[Draw, Any]] | None = None
        self._record = Record(record)
        self.indices = live.epochs.slots  # of the first epoch

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> Any:
        if self._stream is None:
            known = read(self._path, position) if self._path.exists() else {}
            drawing = Recorded(known, f"'{self._path}'", self._drawing)
            self._record.open()
            self._stream = self._live.samples(self._positions(position), drawing)
        draw, sample = next(self._stream)
        assert draw.position == position, f"position {position} was asked for after {draw.position}"
        self._record.write(draw)
        return self._make(sample)

    def _positions(self, first: int) -> Iterator[int]:
        """What this process takes from there to the last step, and nothing after it."""
        batch = self._recipe.batch
        for step in range(first // (batch * self._size), self._recipe.steps):
            begin = (step * self._size + self._rank) * batch
            yield from range(begin, begin + batch)

    def close(self) -> None:
        """Ends the mill and the record."""
        self._record.close()
        self._live.close()


@dataclass(frozen=True, eq=False)
class Lesson:
    """What `training.fit` is given to train on live data, while the mill is open.

    Attributes:
        family, recipe: without what can't be had live: previews, loader processes.
        items: of the family. origin, watch: see `training.loop.fit`. live: where the samples come from.
    """

    family: Family
    recipe: Recipe
    items: LiveItems
    origin: str
    watch: Watch
    live: LiveDataset


@contextmanager
def lesson(
    family: Family,
    pipeline: Pipeline,
    preset: str | Recipe | None,
    folder: Path,
    *,
    curriculum: bool = False,
    draws: str | Path | None = None,
    address: str | None = None,
    here: bool = False,
    maker: Maker = stages.make,
) -> Iterator[Lesson]:
    """A lesson for a run in a folder; the mill ends with the block. See `train` for the arguments and errors."""
    reading = family.item
    if reading is None:
        raise ConfigError(f"family '{family.name}' trains on more than an asset's own row: it needs shards, leave --live out")
    # Loader processes would stand between the training and the mill, whose workers do their work; a preview would ask for
    # items out of their order.
    recipe = family.preset(preset).model_copy(update={"workers": 0})
    family = replace(family, preview=None)
    check_needs(family, recipe, pipeline)
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if curriculum and size > 1:
        raise ConfigError("a curriculum is measured by one training process: leave torchrun or --curriculum out")
    if curriculum and draws is not None:
        raise ConfigError("the draws of a record are drawn as they are: leave --curriculum or --draws out")
    folder.mkdir(parents=True, exist_ok=True)
    selection, make = reading(recipe)
    course = Curriculum(pipeline, recipe.batch, folder) if curriculum else None
    with LiveDataset(pipeline, selection=selection, here=here, address=address, rank=0, world_size=1, maker=maker) as live:
        drawing: Drawing = live.epochs
        if course is not None:
            drawing = Epochs(pipeline, "train", course.parts, course.shares)
        if draws is not None:
            drawing = _replayed(Path(draws), recipe, size, live.parts)

        def held(order: HeldOut, count: int) -> list[Any]:
            return [make(sample) for _, sample in live.samples(iter(range(count)), order)]

        def watch(state: State) -> None:
            if course is not None:
                if not course.begun:
                    course.begin(family, recipe, held, state.step)
                course.watch(state)

        with written_aside(folder / PIPELINE) as aside:
            aside.write_text(pipelines.text(pipeline))
        items = LiveItems(live, make, drawing, recipe, rank, size, folder / _name(rank))
        try:
            yield Lesson(family, recipe, items, _origin(pipeline, curriculum, draws), watch, live)
        finally:
            items.close()


def train(
    family: Family,
    pipeline: Pipeline,
    preset: str | Recipe | None,
    out: str | Path,
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
    lpips: str | Path | None = None,
    tensorboard: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """`training.train` on the train split of a pipeline's assets, which are milled while it trains; resumes the run in `out`.

    Also writes `out`/draws.jsonl (the asset of each position, see `record`), pipeline.yaml, and curriculum.jsonl.

    Args:
        pipeline: its section `live` says how assets are drawn. seed: of the training; the assets have `run.seed`.
        options: curriculum: see `mill.live.curriculum`. draws: draws.jsonl of another run, whose draws are repeated instead of
            drawing. address, here, maker: see `LiveDataset`.

    Returns:
        what `training.train` returns, and `live`: the fields of `feed.Tally`, and mill_cpu (core-seconds).

    Raises:
        ConfigError: the family can't be trained so, the pipeline does not suit the preset, or `out` holds another run.
        VersemillError: more assets were rejected or failed than `live.lost` allows.
        DivergenceError, MissingDependencyError: see `training.train`.
    """
    with lesson(family, pipeline, preset, Path(out), **options) as given:
        rest = (seed, device, progress, lpips, tensorboard, given.origin, given.watch)
        summary = fit(given.family, given.items, given.recipe, Path(out), *rest)
        return {**summary, "live": {**asdict(given.live.tally), "mill_cpu": given.live.cpu}}


def check_needs(family: Family, recipe: Recipe, pipeline: Pipeline) -> None:
    """Refuses a pipeline that lacks what a preset asks for, before anything is milled.

    Raises:
        ConfigError: says what to set.
    """
    needs, render = family.needs(recipe), pipeline.render
    who = f"preset {recipe.name} of family '{family.name}'"
    if missing := [name for name in needs.passes if name not in render.passes]:
        passes = ", ".join([*render.passes, *missing])
        raise ConfigError(f"{who} needs the pass '{missing[0]}': --live-set render.passes=[{passes}]")
    if needs.resolution and (render.width != render.height or render.width < needs.resolution):
        size = needs.resolution
        raise ConfigError(
            f"{who} needs square views of {size} pixels or more, pipeline '{pipeline.name}' renders {render.width} x "
            f"{render.height}: --live-set render.width={size} --live-set render.height={size}"
        )
    views = render.cameras.views or CAMERAS[render.cameras.preset].views
    if views < needs.views:
        raise ConfigError(f"{who} needs {needs.views} views, not {views}: --live-set render.cameras.views={needs.views}")
    for name, number in needs.fields.items():
        if (given := getattr(pipeline.fields, name)) < number:
            raise ConfigError(f"{who} needs {number} {name}, not {given}: --live-set fields.{name}={number}")


def _origin(pipeline: Pipeline, curriculum: bool, draws: str | Path | None) -> str:
    """What besides family, preset and seeds decides a run's samples."""
    live = pipeline.live
    facts: dict[str, Any] = {"data": pipeline.data, "assets": pipeline.run.assets, "repeats": live.repeats}
    if curriculum:
        facts |= {"curriculum": live.curriculum.model_dump(mode="json"), "ahead": live.ahead}
    if draws is not None:
        facts = {"data": {**pipeline.data, "seed": None}, "draws": str(Path(draws).resolve())}
    return f"live {pipeline.name} {digest(facts)[:16]}"


def _replayed(path: Path, recipe: Recipe, size: int, parts: Sequence[str]) -> Recorded:
    draws: Mapping[int, Draw] = read(path)
    needed = recipe.steps * recipe.batch * size
    if len(draws) < needed:
        raise ConfigError(
            f"'{path}' holds {len(draws)} draws, and {recipe.steps} steps need {needed}: train fewer steps (--set steps=N)"
        )
    if other := next((draw.part for draw in draws.values() if draw.part not in parts), None):
        raise ConfigError(f"'{path}' draws from '{other}', which this pipeline does not have: name the pipeline of that run")
    return Recorded(draws, f"'{path}'")


def _name(rank: int) -> str:
    """A process writes its own draws; that of rank 0 has the plain name."""
    return DRAWS if rank == 0 else f"{Path(DRAWS).stem}-{rank}.jsonl"
