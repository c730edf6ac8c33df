"""The command that draws novel views with a trained novel-views."""

import math
from pathlib import Path
from typing import Annotated, Literal

import typer

from versemill.errors import ConfigError
from versemill.mill.commands.common import out
from versemill.mill.commands.models import Device

MOST = 72
"""Views of one call."""


def views(
    run_dir: Annotated[
        Path, typer.Argument(metavar="RUN", help="A folder written by `versemill train novel-views`.", show_default=False)
    ],
    image: Annotated[
        Path,
        typer.Option(metavar="PICTURE", help="The picture: square, with alpha or on a plain background.", show_default=False),
    ],
    directory: Annotated[Path, typer.Option("--out", metavar="DIR", help="Output folder.", show_default=False)],
    azimuth: Annotated[
        str,
        typer.Option(
            metavar="DEGREES,...",
            help="How far around the object from the picture's camera, counter-clockwise seen from above; one view each.",
        ),
    ] = "",
    elevation: Annotated[float, typer.Option(min=-89, max=89, help="Degrees above the horizon of the new views.")] = 20.0,
    seen_from: Annotated[
        float | None,
        typer.Option(
            "--picture-elevation", min=-89, max=89, help="Degrees above the horizon of the picture.", show_default="--elevation"
        ),
    ] = None,
    turntable: Annotated[bool, typer.Option("--turntable", help="Also write turntable.gif, once around the object.")] = False,
    filter_: Annotated[
        Literal["none", "zero-to-hero"],
        typer.Option("--filter", help="zero-to-hero: resample, filter attention maps, look at the picture; 66 calls per view."),
    ] = "none",
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Of the sampler; the filter has its own.")] = 25,
    guidance: Annotated[float, typer.Option(min=0, help="Guidance: how closely the picture is followed; 1: as trained.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed; another seed gives other views.")] = 0,
    device: Device = "auto",
) -> None:
    """Draw an object from other sides with a trained novel-views, from one picture of it.

    The object should fill the picture as in the training data: nothing is cropped or centred.

    Examples:

    versemill views out/model --image chair.png --azimuth 30,60,90 --elevation 20 --out out/chair

    versemill views out/model --image chair.png --turntable --filter zero-to-hero --out out/chair
    """
    from versemill.generation.views import answers
    from versemill.generation.views.sampler import Sampling, zero_to_hero

    angles = degrees(azimuth)
    if not angles and not turntable:
        raise ConfigError("name views with --azimuth, such as 30,60,90, or ask for a --turntable")
    sampling = Sampling(steps=steps, guidance=guidance) if filter_ == "none" else zero_to_hero(guidance)
    around = [360.0 * k / answers.FRAMES for k in range(answers.FRAMES)] if turntable else []
    seen = elevation if seen_from is None else seen_from
    answer = answers.views(run_dir, image, [*angles, *around], elevation, seen, sampling, seed, device)
    directory.mkdir(parents=True, exist_ok=True)
    files = [directory / f"azimuth-{angle:g}.png" for angle in angles]
    for file, view in zip(files, answer.views, strict=False):
        answers.write_view(file, view)
    if turntable:
        files.append(directory / "turntable.gif")
        answers.write_turntable(files[-1], answer.views[len(angles) :])
    out.print(f"{answer.calls} calls of the network per view\n" + "\n".join(map(str, files)), soft_wrap=True)


def degrees(text: str) -> list[float]:
    """The angles of a list like 30,60,90.

    Raises:
        ConfigError: something else, the same angle twice, or more than `MOST`.
    """
    words = [word.strip() for word in text.split(",")] if text.strip() else []
    try:
        angles = [float(word) for word in words]
    except ValueError as error:
        raise ConfigError(f"--azimuth '{text}' is not a list of degrees: write it like 30,60,90") from error
    if not all(math.isfinite(angle) and abs(angle) <= 360 for angle in angles):
        raise ConfigError(f"--azimuth '{text}': angles lie between -360 and 360 degrees")
    if len({f"{angle:g}" for angle in angles}) < len(angles):
        raise ConfigError(f"--azimuth '{text}' names an angle twice: each view has a file of its own")
    if len(angles) > MOST:
        raise ConfigError(f"--azimuth names {len(angles)} views; the limit is {MOST}: call the command again for the rest")
    return angles
