"""The family `normals` that `training` receives."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from versemill.generation.normals import data, judging, sheets
from versemill.generation.normals.losses import Objective
from versemill.generation.normals.network import Normals
from versemill.generation.normals.presets import PRESETS, NormalsRecipe, needs
from versemill.training.family import Family


def preview(network: Normals, examples: Any, recipe: NormalsRecipe, path: Path) -> None:
    """Four training views as rendered and as unseen photographs; see `sheets.NOTE`."""
    device = next(network.parameters()).device
    chosen = judging.NormalsJudging(views=1)
    rows = []
    for position in range(min(4, len(examples))):
        case = judging.case_of(examples[position], chosen)
        for domain in ("plain", "photo"):
            answer = judging.answers(network, case, domain, chosen, device)
            rows.append(sheets.row(getattr(case, domain)[0], answer[0], case.normal[0], case.known[0]))
    sheets.write(path, rows)


_FAMILY = Family(
    name="normals",
    summary="NiRNE: one picture to the normals of its pixels, by a clean and a noise-injected stream",
    stream="normals",
    presets=PRESETS,
    default="tiny",
    needs=needs,
    data=data.data,
    batches=data.Staged,
    network=Normals,
    objective=lambda network, lpips: Objective(network),
    noise=data.noise,
    metrics=judging.METRICS,
    score=judging.score,
    baselines=judging.baselines,
    case=judging.case_of,
    mesh_case=judging.mesh_case,
    judging=judging.NormalsJudging,
    gate=(judging.FACING, judging.MEAN),
    freezes=True,
    hidden=Normals.hidden,
    preview=preview,
)
NORMALS = replace(_FAMILY, measure=partial(judging.measure, _FAMILY))
