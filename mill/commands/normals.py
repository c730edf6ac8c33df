"""The command that estimates the normals of pictures with a trained run of `normals`."""

from pathlib import Path
from typing import Annotated, cast

import typer
from rich.text import Text

from versemill.errors import ConfigError
from versemill.mill.commands.common import distinct, out
from versemill.mill.commands.models import Device


def normals(
    run_dir: Annotated[
        Path, typer.Argument(metavar="RUN", help="A folder written by `versemill train normals`.", show_default=False)
    ],
    pictures: Annotated[
        list[Path],
        typer.Argument(metavar="PICTURES...", help="Pictures with alpha, or on a plain background.", show_default=False),
    ],
    directory: Annotated[Path, typer.Option("--out", metavar="DIR", help="Output folder.", show_default=False)],
    size: Annotated[
        int | None,
        typer.Option(
            min=16, max=4096, help="Side in pixels of the frame in which objects are shown.", show_default="the run's view"
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Estimate the camera-space normals of objects in pictures: NAME_normals.png and NAME_normals.exr.

    Both have the picture's size; x points right, y up, z towards the viewer. The PNG holds (n + 1) / 2 and the object as alpha,
    the EXR float values in R, G, B and the object in A.

    Exit code 1 if any picture could not be used; the other pictures are still processed.

    Examples:

    versemill normals out/normals chair.png photos/*.jpg --out out/maps

    versemill normals out/normals chair.png --out out/maps --size 512
    """
    from versemill.generation.normals import answers
    from versemill.generation.normals.family import NORMALS
    from versemill.generation.normals.network import Normals
    from versemill.training.runs import load, torch_device

    distinct(pictures)
    loaded, recipe = load(NORMALS, run_dir, torch_device(device))
    network = cast(Normals, loaded)
    failed = 0
    for path in pictures:
        try:
            written = answers.write(network, path, directory, size or recipe.view)
        except ConfigError as error:
            failed += 1
            out.print(Text.assemble(("failed", "red"), f" {error}"), soft_wrap=True)
            continue
        out.print(Text.assemble(("wrote", "green"), f" {written.png} and {written.exr.name}"), soft_wrap=True)
    raise typer.Exit(1 if failed else 0)
