"""The command that draws a shape from a trained shape-flow or norld."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from versemill.errors import ConfigError
from versemill.mill.commands.common import out
from versemill.mill.commands.models import Device


def generate(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="A trained run of shape-flow or norld.", show_default=False)],
    file: Annotated[Path, typer.Option("--out", metavar="FILE.glb", help="Output file.", show_default=False)],
    image: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE", help="Input picture, with alpha or on a plain background.", show_default=False),
    ] = None,
    normals: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="For a model of normal maps: the run of family normals that finds them in the picture.",
            show_default="the one that the model's preset names",
        ),
    ] = None,
    unconditional: Annotated[bool, typer.Option("--unconditional", help="Generate without a picture.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed; another seed gives another shape.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Number of sampling steps.")] = 50,
    guidance: Annotated[
        float, typer.Option(min=0, help="Guidance scale: how closely the shape follows the picture; 1: as trained.")
    ] = 6.0,
    candidates: Annotated[
        int, typer.Option(min=1, max=64, help="Shapes drawn for a picture; the one with the most similar outline is written.")
    ] = 8,
    sampler: Annotated[Literal["euler", "heun", "ddim"], typer.Option(help="Sampler.")] = "euler",
    resolution: Annotated[int, typer.Option(help="Grid resolution of the mesh: 64, 128, 256 or 512.")] = 128,
    device: Device = "auto",
) -> None:
    """Generate a shape with a trained shape-flow or norld, from a picture or without one.

    Examples:

    versemill generate out/flow --image chair.png --out chair.glb

    versemill generate out/flow --unconditional --seed 7 --out shape.glb

    versemill generate out/norld --normals out/normals --image chair.png --out chair.glb
    """

    from versemill.generation.shapes import answers
    from versemill.generation.shapes.drawing import Drawing

    if (image is None) != unconditional:
        raise ConfigError("name a picture with --image, or say --unconditional: one of the two")
    if file.suffix.lower() != ".glb":
        raise ConfigError(f"'{file}' does not end in .glb, the format that is written")
    if resolution not in answers.RESOLUTIONS:
        raise ConfigError(f"resolution {resolution}: take {', '.join(map(str, answers.RESOLUTIONS))}")
    how = Drawing(steps=steps, guidance=guidance, sampler=sampler, candidates=candidates)
    answer = answers.generate(run_dir, image, seed, how, resolution, device, normals)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(answer.glb)
    out.print(
        f"{file}: {answer.faces:,} faces, {answer.sampled_s:.1f} s of sampling and {answer.extracted_s:.1f} s of extraction",
        soft_wrap=True,
    )
