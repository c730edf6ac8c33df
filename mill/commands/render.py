"""The command `versemill render`: anybody's meshes to images with cameras, and turntables."""

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import track
from rich.text import Text
from versemill.mill.commands.common import DEADLINE_S, MEMORY_MB, Deadline, Memory, Overrides, Root, distinct, err, out


class Engine(StrEnum):
    """The engines."""

    warp = "warp"
    cycles = "cycles"


class Quality(StrEnum):
    """The qualities of the Warp engine."""

    fast = "fast"
    fine = "fine"


class Kind(StrEnum):
    """The file formats."""

    png = "png"
    exr = "exr"
    npz = "npz"


def render(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILES...", help="GLB, glTF, OBJ, PLY, STL, OFF, FBX or USD.", show_default=False)
    ],
    directory: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="DIR/NAME/ gets the images of NAME.glb.", show_default=False)
    ],
    cameras: Annotated[
        str, typer.Option(metavar="PRESET", help="Where cameras stand: sphere, ring, orbit, front, axes, lrm_zero, trellis ...")
    ] = "sphere",
    views: Annotated[int | None, typer.Option(min=1, max=4096, help="Number of views.", show_default="the preset's")] = None,
    lighting: Annotated[
        str,
        typer.Option(
            metavar="PRESET", help="white, studio, sky, area, hdri (Blender's panoramas), or a folder of .hdr or .exr files."
        ),
    ] = "studio",
    lightings: Annotated[int, typer.Option(min=1, max=64, help="Draws of the light; every camera comes once in each.")] = 1,
    size: Annotated[int, typer.Option(min=8, max=8192, help="Width and height in pixels.")] = 512,
    quality: Annotated[Quality, typer.Option(help="fast, or path traced with one bounce.")] = Quality.fast,
    engine: Annotated[Engine, typer.Option(help="warp runs anywhere; cycles needs `make blender`.")] = Engine.warp,
    kind: Annotated[
        Kind, typer.Option("--format", help="png; exr: normals and depth in full precision; npz: one file of arrays.")
    ] = Kind.png,
    turntable: Annotated[
        str | None, typer.Option(metavar="NAME.gif", help="Also write an animation (.gif, .webp, .png) into DIR/NAME/.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws of cameras, light and noise.")] = 0,
    root: Root = None,
    deadline_s: Deadline = DEADLINE_S,
    memory_mb: Memory = MEMORY_MB,
    overrides: Overrides = None,
) -> None:
    """Render meshes: RGB, normals, depth and mask with their cameras (cameras.json says the conventions), and turntables.

    Exit code 1 if any file could not be read or rendered; the others are done all the same.

    Examples:

    versemill render chair.glb --out renders

    versemill render models/*.obj --out renders --cameras lrm_zero --lighting sky --quality fine --format exr

    versemill render chair.glb --out renders --views 1 --turntable turn.gif

    versemill render chair.glb --out renders --set "passes=\\[rgb,albedo,part]" --set "cameras.fov=\\[30,60]"
    """
    from versemill.mill.pipeline import config
    from versemill.mill.run.alone import Alone
    from versemill.render import RenderConfig, outputs

    from versemill.errors import AssetError

    chosen = [f"cameras.preset={cameras}", f"engine={engine}", f"quality={quality}", f"width={size}", f"height={size}"]
    chosen += [f"cameras.views={views}"] if views is not None else []
    chosen += (
        ["lighting.preset=hdri", f"lighting.folder={lighting}"] if Path(lighting).is_dir() else [f"lighting.preset={lighting}"]
    )
    chosen += [f"lighting.count={lightings}", *(overrides or [])]
    settings: Any = config.settings("render", RenderConfig, chosen)
    if turntable is not None:
        outputs.check_turntable(turntable)
    if kind == Kind.png:
        outputs.check_png(settings.passes)
    distinct(files)
    check_ready(settings)

    failed = 0
    with Alone(deadline_s, memory_mb) as worker:
        for file in track(files, description="rendering", console=err, disable=not err.is_terminal):
            try:
                said = worker.call(render_file, file, directory / file.stem, settings, seed, kind.value, turntable, root)
            except AssetError as error:
                failed += 1
                out.print(Text.assemble(("failed", "red"), f" {file}: {error.reason}: {error}"), soft_wrap=True)
                continue
            out.print(Text.assemble(("wrote", "green"), f" {directory / file.stem}: {said}"), soft_wrap=True)
    raise typer.Exit(1 if failed else 0)


def render_file(
    file: Path, folder: Path, settings: Any, seed: int, kind: str, turntable: str | None, root: Path | None
) -> str:
    """Renders one file into a folder; says what it made.

    Raises:
        AssetError: it can't be read or rendered.
    """
    from versemill.render import RenderConfig, outputs
    from versemill.render import render as draw

    from versemill import curation

    asset = dataclasses.replace(curation.load(file, root=root).normalized(), seed=seed)
    made = draw(asset, settings)
    outputs.write_views(asset, made, folder, kind)
    if turntable is not None:
        turn = {"cameras": {"preset": "orbit", "framing": "sphere"}, "passes": ("rgb",)}
        lights = settings.lighting.model_copy(update={"count": 1})
        around = RenderConfig.model_validate(settings.model_dump() | turn | {"lighting": lights})
        outputs.write_turntable(draw(asset, around).passes["rgb"], folder / turntable)
    notes = f", {', '.join(made.tags)}" if made.tags else ""
    return f"{len(made.cameras)} views of {', '.join(made.passes)}{notes}"


def check_ready(settings: Any) -> None:
    """Finds a missing device, interpreter or panorama before anything is written.

    Raises:
        MissingDependencyError, ConfigError: as the engines say.
    """
    from versemill.render import lighting
    from versemill.render.cycles import find_blender

    from versemill import device

    if settings.engine == "cycles":
        find_blender(settings.cycles)
    else:
        device.resolve(settings.device)
    lighting.draw(settings.lighting, 0, 0)
