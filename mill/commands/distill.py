"""The command that turns a 2D model into a 3D asset."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from versemill.errors import ConfigError
from versemill.mill.commands.common import out
from versemill.mill.commands.models import Device
from versemill.mill.pipeline import config, models
from versemill.mill.run.progress import steps

if TYPE_CHECKING:
    from versemill.generation.distillation.models import ViewModel


def distill(
    run_dir: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="A folder written by `versemill train` of a family with a 2D view model; with --prompt, a Stable Diffusion "
            "folder as diffusers saves it.",
            show_default=False,
        ),
    ],
    directory: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Output folder; the same command resumes.", show_default=False)
    ],
    image: Annotated[
        Path | None,
        typer.Option(
            metavar="PICTURE",
            help="The picture: square, with alpha or on a plain background; optional with --prompt.",
            show_default=False,
        ),
    ] = None,
    prompt: Annotated[str | None, typer.Option(metavar="TEXT", help="What to make, for a text-to-image model.")] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="sdi: noise by inversion; sds: random noise; ism: inversion without the condition; fixed: one noise; "
            "fixed-point: equation 8 iterated; vsd: a second network.",
            show_default="sdi",
        ),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="tiny: 32 x 32 pixels on two cores; paper: SDI's iterations, times and guidance.")
    ] = "tiny",
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a setting of the preset, e.g. field=voxels, iterations=500, scoring.guidance=2; repeatable.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed; another seed gives another asset.")] = 0,
    device: Device = "auto",
) -> None:
    """Turn a 2D diffusion model into a 3D asset by score distillation.

    DIR then holds asset.glb (textured mesh), splats.ply, turntable.gif and run.json, the record of the run; preview.png shows
    the object while it works.

    Examples:

    versemill distill out/views --image chair.png --out out/chair

    versemill distill out/views --image chair.png --method sds --set iterations=600 --out out/chair-sds

    versemill distill stable-diffusion-2-1-base --prompt "a wooden chair" --preset paper --out out/chair
    """
    from versemill.generation.distillation import answers
    from versemill.generation.distillation.settings import PRESETS, Distillation
    from versemill.training.runs import CHECKPOINT, describe, torch_device

    if preset not in PRESETS:
        raise ConfigError(f"no preset '{preset}'; there are {', '.join(PRESETS)}")
    changes = [*(overrides or []), *([f"scoring.method={method}"] if method else [])]
    settings = config.settings(f"preset {preset}", Distillation, changes, PRESETS[preset].model_dump())
    target = torch_device(device)
    rgba = answers.read_square(image) if image else None
    basis: dict[str, Any] = {"picture": answers.digest(image) if image else None, "prompt": prompt}
    if prompt is not None:
        from versemill.generation.distillation.stable import TextModel

        model: ViewModel = TextModel(run_dir, prompt, target)
        picture = None if rgba is None else answers.picture_of(rgba, model.size)
        basis["model"] = str(run_dir.resolve())
    elif rgba is None:
        raise ConfigError("name a picture with --image, or a text with --prompt")
    else:
        family = models.FAMILIES.find(describe(run_dir)["family"])
        model, picture = answers.picture_model(family, run_dir, rgba, settings, target)
        basis["model"] = answers.digest(run_dir / CHECKPOINT)
    with steps(f"distilling by {settings.scoring.method}") as progress:
        answer = answers.distill(model, picture, settings, seed, directory, basis, target, progress)
    missing = "" if "mesh" in answer.files else "\nno mesh: no surface came out; take more iterations or a lower sparsity"
    out.print(
        f"{answer.calls:,} evaluations of the 2D model\n" + "\n".join([*answer.files.values(), answer.record]) + missing,
        soft_wrap=True,
    )
