"""The command that draws novel views with a trained novel-views."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from versemill.errors import ConfigError
from versemill.mill.commands.common import out
from versemill.mill.commands.models import Device

if TYPE_CHECKING:
    from versemill.generation.views.sampler import Sampling

MOST = 72
"""Views of one call."""


def views(
    run_dir: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="A folder written by `versemill train` of novel-views, multi-views or map-views; or one of Zero-1-to-3, as "
            "diffusers saves it.",
            show_default=False,
        ),
    ],
    image: Annotated[
        Path,
        typer.Option(
            metavar="PICTURE",
            help="The picture: square, with alpha or on a plain background; for map-views a part map: flat colours on white.",
            show_default=False,
        ),
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
        str,
        typer.Option(
            "--filter",
            metavar="HOW",
            help="none; zero-to-hero: resample, filter attention maps, look at the picture, 66 calls per view; amf: without "
            "the look, for multi-views and map-views; or a file of learned weights.",
        ),
    ] = "none",
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Of the sampler; the filter has its own.")] = 25,
    guidance: Annotated[float, typer.Option(min=0, help="Guidance: how closely the picture is followed; 1: as trained.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed; another seed gives other views.")] = 0,
    device: Device = "auto",
) -> None:
    """Draw an object from other sides with a trained novel-views, from one picture of it.

    The object should fill the picture as in the training data: nothing is cropped or centred. A map-views draws one view, of
    the part map that it is given. Of a Zero-1-to-3 folder nothing is downloaded; its own guidance is 3.

    Examples:

    versemill views out/model --image chair.png --azimuth 30,60,90 --elevation 20 --out out/chair

    versemill views out/model --image chair.png --turntable --filter zero-to-hero --out out/chair

    versemill views zero123-xl --image chair.png --azimuth 30 --guidance 3 --filter zero-to-hero --out out/chair
    """
    from versemill.generation.views import answers

    angles = degrees(azimuth)
    sampling = how(filter_, steps, guidance)
    model = answers.opened(run_dir, device)
    if model.mapped and (angles or turntable):
        raise ConfigError("map-views draws the view that its map shows: leave --azimuth and --turntable out")
    if not model.mapped and not angles and not turntable:
        raise ConfigError("name views with --azimuth, such as 30,60,90, or ask for a --turntable")
    around = [360.0 * k / answers.FRAMES for k in range(answers.FRAMES)] if turntable else []
    seen = elevation if seen_from is None else seen_from
    if model.mapped:
        answer = answers.from_map(model, image, sampling, seed)
        files = [directory / "view.png"]
    else:
        answer = answers.views(model, image, [*angles, *around], elevation, seen, sampling, seed)
        files = [directory / f"azimuth-{angle:g}.png" for angle in angles]
    directory.mkdir(parents=True, exist_ok=True)
    for file, view in zip(files, answer.views, strict=False):
        answers.write_view(file, view)
    if turntable:
        files.append(directory / "turntable.gif")
        answers.write_turntable(files[-1], answer.views[len(angles) :])
    out.print(f"{answer.calls} calls of the network per view\n" + "\n".join(map(str, files)), soft_wrap=True)


def how(name: str, steps: int, guidance: float) -> "Sampling":
    """The sampler that --filter names.

    Raises:
        ConfigError: neither a name nor a file of learned weights.
    """
    from versemill.generation.views.sampler import Sampling, read_filter, zero_to_hero

    if name == "none":
        return Sampling(steps=steps, guidance=guidance)
    whole = zero_to_hero(guidance)
    if name == "zero-to-hero":
        return whole
    if name != "amf" and not Path(name).is_file():
        raise ConfigError(f"--filter '{name}': take none, zero-to-hero, amf, or a file of learned weights")
    filtering = whole.filtering if name == "amf" else read_filter(Path(name))
    return whole.model_copy(update={"mutual_until": None, "filtering": filtering})


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
