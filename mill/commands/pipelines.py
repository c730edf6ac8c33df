"""Commands on pipelines: config, schema, init."""

import json
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from versemill.errors import ConfigError
from versemill.mill.commands.common import Overrides, PipelineName, Pipelines, out


def config_(pipeline: PipelineName, overrides: Overrides = None, file: Pipelines = None) -> None:
    """Print a pipeline with every value resolved, as YAML that `--pipelines` reads back.

    Example: versemill config quickstart --set render.width=256 > mine.yaml
    """
    from versemill.mill.pipeline import config

    loaded = config.load(pipeline, file=file, overrides=overrides or [])
    typer.echo(config.text(loaded), nl=False)


def schema() -> None:
    """Print the JSON schema of pipeline files, so that editors complete and check them.

    Start the file with `# yaml-language-server: $schema=pipelines.schema.json`.

    Example: versemill schema > pipelines.schema.json
    """
    from versemill.mill.pipeline.schema import schema as build

    typer.echo(json.dumps(build(), indent=1))


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.", show_default=False)],
) -> None:
    """Write a starter project: a pipeline, a source of your own, an ablation, and the schema for your editor.

    Example: versemill init pebbles
    """
    from versemill.mill.pipeline.schema import FILE
    from versemill.mill.pipeline.schema import schema as build

    if directory.is_dir() and any(directory.iterdir()):
        raise ConfigError(f"'{directory}' is not empty; name a new folder")
    directory.mkdir(parents=True, exist_ok=True)
    for template in (resources.files("versemill.mill.commands") / "templates").iterdir():
        if template.is_file():
            (directory / template.name).write_text(template.read_text())
    (directory / FILE).write_text(json.dumps(build(), indent=1) + "\n")
    out.print(f"wrote {', '.join(sorted(path.name for path in directory.iterdir() if path.is_file()))} in {directory}")
    out.print(f"next: cd {directory}; versemill run pebbles --pipelines pipelines.yaml --out out/pebbles --dry-run")
