"""Arms side by side on known objects, in a folder that resumes by object and arm.

    OUT/config.json                what all of it is of: model, objects
    OUT/objects/NNN/DIGEST.json    the scores of an arm on an object; .png, its held-out views. Arms of equal basis share them
    OUT/TITLE.md, .json, .png      tables, figures and a sheet of a comparison, as far as it is

An arm is what makes a 3D object of the first view of a `Truth`: a distillation (`arms`) or a baseline (`baselines`).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from versemill.config import digest
from versemill.errors import ConfigError
from versemill.files import written_aside
from versemill.generation.distillation import cameras, flat, judging
from versemill.generation.distillation.judging import Truth
from versemill.generation.distillation.models import Prior, ViewModel
from versemill.generation.distillation.optimisation import Progress, claim
from versemill.generation.distillation.settings import Distillation
from versemill.generation.distillation.tables import Compared, Residuals, plain
from versemill.training.fusion import Draw
from versemill.training.loop import DivergenceError
from versemill.training.pictures import picture_grid

TIMES = (0.9, 0.7, 0.6, 0.5, 0.4, 0.3)
"""Of the residuals."""
VIEWS, STEPS = 4, 20
"""Of the residuals: cameras around an object, and steps of DDIM from the first time to the last."""
ROWS, STRIP = 8, 3
"""Objects on the sheet, and views of each."""
Advance = Callable[[float], None]
"""Called with the share of an object's work that is done."""


@dataclass(frozen=True, eq=False)
class Made:
    """What an arm made of an object.

    Attributes:
        draw: the object as cameras see it (`training.fusion`). calls: evaluations of the 2D model's network.
        scores: metrics that the arm alone can know.
    """

    draw: Draw
    calls: float = 0.0
    scores: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Arm:
    """A way to make a 3D object of one picture.

    Attributes:
        name: in the tables. basis: JSON-able; what, besides the object and the folder's model, decides what comes out.
        make: (object, progress) -> what came out. It may raise `DivergenceError`.
        calls: evaluations of the network that are expected, by which the time that is left is estimated.
    """

    name: str
    basis: Any
    make: Callable[[Truth, Advance], Made]
    calls: int = 0


def compare(
    title: str, question: str, truths: Sequence[Truth], arms: Sequence[Arm], out: Path, basis: dict[str, Any],
    resolution: int = 96, progress: Progress | None = None,
) -> Compared:  # fmt: skip
    """Each object by every arm, then the next one; the page and the sheet are written again after each.

    Args:
        basis: JSON-able; what the folder is of: the 2D model, the objects. A folder of another basis is refused.
        resolution: of the grid that meshes are taken from.

    Raises:
        ConfigError: `out` holds another comparison. ValueError: two arms of one name, or no objects.
    """
    if len({arm.name for arm in arms}) < len(arms) or not truths:
        raise ValueError("a comparison needs objects, and arms of different names")
    claim(out, {**basis, "resolution": resolution})
    files = {(n, arm.name): _file(out, n, arm) for n in range(len(truths)) for arm in arms}
    left = sum(arm.calls for n in range(len(truths)) for arm in arms if not files[n, arm.name].exists())
    done = 0
    objects = []
    for number, truth in enumerate(truths):
        for arm in arms:
            if not files[number, arm.name].exists():
                advance = partial(_advance, progress, done, left, arm.calls, number + 1)
                _judge(arm, truth, files[number, arm.name], resolution, advance)
                done += arm.calls
        objects.append({arm.name: _scores(files[number, arm.name], truth) for arm in arms})
        compared = Compared(title, question, objects)
        _report(out / title, compared, truths, [[files[n, arm.name] for arm in arms] for n in range(number + 1)])
    return compared


def residuals(
    truths: Sequence[Truth], model: Callable[[Truth], ViewModel], settings: Distillation, out: Path, basis: dict[str, Any],
    times: tuple[float, ...] = TIMES, progress: Progress | None = None, device: torch.device | None = None,
) -> Residuals:  # fmt: skip
    """Equation 8's residual of `flat.residuals` on each object, seen from cameras around it; resumes by object.

    Args:
        basis: as in `compare`, whose folder this may be.
    """
    (out / "objects").mkdir(parents=True, exist_ok=True)
    key = digest([basis, settings.scoring.model_dump(mode="json"), times, VIEWS, STEPS])[:12]
    objects = []
    for number, truth in enumerate(truths):
        file = out / "objects" / f"{number:03d}" / f"residuals-{key}.json"
        if not file.exists():
            own, views = judging.cameras_of(truth, settings.cameras), model(truth)
            c2w, K = (m.to(device) for m in cameras.ring(own, views.size, VIEWS))
            like = views.encode(torch.zeros(VIEWS, 3, views.size, views.size, device=device))
            prior = Prior(views.path, *views.estimators(c2w, K))
            values = flat.residuals(prior, like, settings.scoring, times, seed=number, steps=STEPS)
            _write(file, {"object": truth.scene.name, "residuals": values})
        objects.append(_read(file, truth)["residuals"])
        if progress:
            progress(number + 1, len(truths), {"object": number + 1})
    answer = Residuals(times, objects)
    (out / "residuals.md").write_text(answer.markdown())
    return answer


def _advance(progress: Progress | None, done: int, left: int, calls: int, number: int, share: float) -> None:
    if progress and calls:
        progress(done + int(share * calls), left, {"object": number})


def _judge(arm: Arm, truth: Truth, file: Path, resolution: int, advance: Advance) -> None:
    scores: dict[str, float]
    try:
        made = arm.make(truth, advance)
    except DivergenceError:
        scores, rgb = {"diverged": 1.0}, torch.full_like(truth.scene.over_white[truth.others], 0.5)
    else:
        scores, rgb = judging.judged(made.draw, truth, resolution)
        scores |= {"calls": made.calls, **made.scores}
    file.parent.mkdir(parents=True, exist_ok=True)
    strip = torch.cat(list(rgb.nan_to_num().clamp(0, 1)), 2).permute(1, 2, 0).mul(255).round().byte().numpy()
    Image.fromarray(strip).save(file.with_suffix(".png"))
    _write(file, {"object": truth.scene.name, "arm": arm.name, "basis": arm.basis, "scores": plain(scores)})


def _file(out: Path, number: int, arm: Arm) -> Path:
    return out / "objects" / f"{number:03d}" / f"{digest(arm.basis)[:12]}.json"


def _write(file: Path, content: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(file) as aside:
        aside.write_text(json.dumps(content, indent=1) + "\n")


def _read(file: Path, truth: Truth) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
        name = content["object"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} is not readable: remove it and run the same command again") from error
    if name != truth.scene.name:
        raise ConfigError(f"{file} is of object {name}, not {truth.scene.name}: take another folder or remove it")
    return content


def _scores(file: Path, truth: Truth) -> dict[str, float]:
    return dict(_read(file, truth)["scores"])


def _report(place: Path, compared: Compared, truths: Sequence[Truth], files: list[list[Path]]) -> None:
    place.with_suffix(".md").write_text(compared.markdown())
    content = {"question": compared.question, "objects": compared.objects}
    place.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")
    rows = []
    for truth, own in zip(truths, files[:ROWS], strict=False):
        shown = [int(k) for k in np.linspace(0, len(truth.others) - 1, STRIP + 1)[1:]]  # the first is nearest to the picture
        rows.append([truth.scene.over_white[:1], truth.scene.over_white[1:][shown], *(_views(f)[shown] for f in own)])
    picture_grid(place.with_suffix(".png"), rows, ["picture", "truth", *compared.arms])


def _views(file: Path) -> Tensor:
    """(V, 3, S, S) of the strip next to a record."""
    strip = torch.from_numpy(np.array(Image.open(file.with_suffix(".png")))).permute(2, 0, 1).float() / 255
    return torch.stack(strip.split(strip.shape[1], 2))
