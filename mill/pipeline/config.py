"""Pipelines: one page of YAML, the stages' own models behind it, and one clear line for every mistake.

A file holds `pipelines: {NAME: {description, extends, run, sources, curate, render, fields, shards, export, validate}}`.
`extends` merges deeply onto another pipeline; `--set a.b=value` merges onto that. Unknown keys are refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError

from versemill import CONVENTION_VERSION
from versemill.config import UNKNOWN_KEY, Config, digest, nearest
from versemill.curation.config import CurationConfig, FieldsConfig
from versemill.errors import ConfigError
from versemill.mill.pipeline import pages
from versemill.mill.pipeline import sources as _sources
from versemill.mill.pipeline.drawing import LiveConfig
from versemill.mill.pipeline.models import ValidateConfig
from versemill.plugins import search
from versemill.render.config import CameraConfig, RenderConfig
from versemill.render.presets import CAMERAS
from versemill.shards.config import ShardsConfig


class RunConfig(Config):
    """Section `run`: how much, from which seed, and within which limits. Only `seed` changes the data."""

    assets: int | None = Field(
        default=None, description="assets to make; with only a folder of files, all of them by default", gt=0, le=10**9
    )
    seed: int = Field(default=0, description="dataset seed: with the config, it decides every byte", ge=0, lt=2**63)
    workers: Annotated[int, Field(gt=0)] | Literal["auto"] = Field(
        default="auto", description="assets made at once; auto: one per core"
    )
    chunk: Annotated[int, Field(gt=0, le=1000)] | Literal["auto"] = Field(
        default="auto", description="assets per Ray task; auto: what takes about a second"
    )
    deadline_s: float = Field(default=300.0, description="seconds one asset may take before its worker is killed", gt=0)
    memory_mb: int = Field(default=4096, description="MiB one worker may hold before it is killed", gt=0)
    retries: int = Field(default=1, description="further tries of an asset that failed", ge=0, le=10)
    renderers: Annotated[int, Field(ge=0, le=1024)] | Literal["auto"] = Field(
        default="auto",
        description="processes that render for all workers; auto: two per GPU of the cluster where render.device is "
        "one, so that it computes for one while the other packs and reads back; 0: each worker renders its own assets",
    )
    ship: bool = Field(default=False, description="send this versemill to a cluster whose nodes do not have it (--address)")
    runtime_env: dict[str, Any] = Field(
        default={}, description="Ray's runtime_env for the workers of a cluster (--address): pip, env_vars, image_uri, ..."
    )
    then: tuple[Literal["export", "validate", "report"], ...] = Field(
        default=(),
        description="stages on the whole dataset, after its last shard; each is done once and again when shards change",
    )


class ExportConfig(Config):
    """Section `export`: what `run.then: [export]` writes into DIR/exports/FORMAT."""

    formats: tuple[str, ...] = Field(default=("webdataset",), min_length=1, description="see `versemill export DIR`")
    split: Literal["train", "val", "test"] | None = Field(default=None, description="only this split; null: all")


class SourceEntry(Config):
    """One entry of section `sources`: `source` (defaults to the entry's name), `share`, and that source's own settings."""

    source: str
    share: float = Field(default=1.0, description="weight in the mix; 0 leaves the source out", ge=0)
    config: Any = None


SECTIONS: dict[str, type[Config]] = {
    "run": RunConfig,
    "curate": CurationConfig,
    "render": RenderConfig,
    "fields": FieldsConfig,
    "shards": ShardsConfig,
    "export": ExportConfig,
    "validate": ValidateConfig,
    "live": LiveConfig,
}
KEYS = ("description", "extends", "sources", *SECTIONS)
AFTERWARDS = ("run", "export", "validate", "live")
"""Sections that do not decide the rows."""


@dataclass(frozen=True)
class Pipeline:
    """A resolved pipeline: every value present and valid.

    Attributes:
        name, description: as in the file.
        sources: entry name -> its source, share and config; only entries with a share.
        run, curate, render, fields, shards, export, validate, live: the sections.
    """

    name: str
    description: str
    run: RunConfig
    sources: dict[str, SourceEntry]
    curate: CurationConfig
    render: RenderConfig
    fields: FieldsConfig
    shards: ShardsConfig
    export: ExportConfig
    validate: ValidateConfig
    live: LiveConfig

    @cached_property
    def resolved(self) -> dict[str, Any]:
        """The whole config as JSON-able values, in the shape of the YAML file."""
        entries = {
            name: {"source": e.source, "share": e.share, **e.config.model_dump(mode="json")} for name, e in self.sources.items()
        }
        rest = {name: getattr(self, name).model_dump(mode="json") for name in SECTIONS}
        return {"run": rest.pop("run"), "sources": entries, **rest}

    @cached_property
    def data(self) -> dict[str, Any]:
        """What decides the dataset's bytes: everything but how it is run, what follows, and where a folder lies."""
        kept = {name: value for name, value in self.resolved.items() if name not in AFTERWARDS}
        entries = {
            name: {k: v for k, v in entry.items() if not (entry["source"] == "files" and k == "path")}
            for name, entry in self.resolved["sources"].items()
        }
        return {**kept, "sources": entries, "seed": self.run.seed, "conventions": CONVENTION_VERSION}

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of `data`."""
        return digest(self.data)


def load(
    pipeline: str,
    file: str | Path | None = None,
    overrides: Sequence[str] = (),
    assets: int | None = None,
    seed: int | None = None,
) -> Pipeline:
    """Resolves one pipeline.

    Args:
        pipeline: its name.
        file: a YAML file of your own; its pipelines may extend the ones that come with versemill, and name sources that lie
            next to it as `module:NAME`.
        overrides: "a.b=value" each, the value in YAML; later ones win.
        assets, seed: short for run.assets and run.seed; they win.

    Raises:
        ConfigError: no such pipeline or file, not YAML, a circle of `extends`, an unknown key, an invalid value.
    """
    known = _read(file)
    if file is not None:
        search(file)
    merged = _extend(pipeline, known)
    for text in overrides:
        merged = _merge(merged, _override(text))
    for key, value in (("assets", assets), ("seed", seed)):
        if value is not None:
            merged = _merge(merged, {"run": {key: value}})
    return _build(pipeline, merged)


def notes(pipeline: Pipeline) -> list[str]:
    """What a reader of the YAML may not expect, a sentence each."""
    cameras = pipeline.render.cameras
    usual = CAMERAS[cameras.preset].views
    if cameras.views in (None, usual) or cameras.preset == CameraConfig().preset:
        return []
    note = f"camera preset '{cameras.preset}' has {usual} views, this pipeline renders {cameras.views} of them"
    return [f"{note}; for the preset's number: --set render.cameras.views=null"]


def text(pipeline: Pipeline) -> str:
    """A pipeline as a YAML file that `load` reads back: the same digest, and nothing inherited that could change."""
    body = {"description": pipeline.description, **pipeline.resolved}
    return yaml.safe_dump({"pipelines": {pipeline.name: body}}, sort_keys=False, allow_unicode=True, width=120)


def restore(name: str, resolved: Mapping[str, Any], overrides: Sequence[str] = ()) -> Pipeline:
    """The pipeline of a dataset, from the resolved config in its dataset.json; see `load` for `overrides`."""
    merged: dict[str, Any] = {"description": "", **resolved}
    for text in overrides:
        merged = _merge(merged, _override(text))
    return _build(name, merged)


def pipelines(file: str | Path | None = None) -> list[tuple[str, str]]:
    """(name, description) of every pipeline, in the file's order; the ones in `file` come last.

    Raises:
        ConfigError: the file can't be read.
    """
    return [(name, str((body or {}).get("description", ""))) for name, body in _read(file).items()]


def settings(name: str, model: type[Any], overrides: Sequence[str] = (), given: Mapping[str, Any] | None = None) -> Any:
    """One model of settings, with "key=value" overrides: what a command on single assets or presets takes.

    Args:
        given: values that the overrides change; the model's defaults by default.

    Raises:
        ConfigError: an unknown key or an invalid value.
    """
    return checked(name, model, _merge(dict(given or {}), assignments(overrides)))


def assignments(overrides: Sequence[str]) -> dict[str, Any]:
    """Nested values of "a.b=value" texts, the value in YAML; later ones win.

    Raises:
        ConfigError: a text of another form, or a value that is not YAML.
    """
    merged: dict[str, Any] = {}
    for text in overrides:
        merged = _merge(merged, _override(text))
    return merged


def checked(name: str, model: type[Any], content: Any) -> Any:
    """A model built from parsed YAML; `name` says in the error where the content comes from.

    Raises:
        ConfigError: an unknown key or an invalid value.
    """
    return _section(name, name, model, content)


def _read(file: str | Path | None) -> dict[str, Any]:
    packaged = resources.files("versemill.mill") / "pipelines.yaml"
    own = Path(str(packaged)) if packaged.is_file() else Path(__file__).resolve().parents[2] / "pipelines.yaml"
    known = _pipelines_of(own)
    return known if file is None else {**known, **_pipelines_of(Path(file))}


def _pipelines_of(path: Path) -> dict[str, Any]:
    content = pages.read(path)
    if not isinstance(content, dict) or set(content) != {"pipelines"} or not isinstance(content["pipelines"], dict):
        raise ConfigError(f"{path} must hold one key, 'pipelines', with the pipelines by name")
    for name, body in content["pipelines"].items():
        if not isinstance(name, str) or not isinstance(body, dict | None):
            raise ConfigError(f"{path}: pipeline '{name}' must be a mapping of {', '.join(KEYS)}")
    return content["pipelines"]


def _extend(name: str, known: Mapping[str, Any]) -> dict[str, Any]:
    chain: list[str] = []
    following: Any = name
    while following is not None:
        if not isinstance(following, str):
            raise ConfigError(f"pipeline '{chain[-1]}' extends {_shown(following)}; it must be the name of one pipeline")
        if following in chain:
            raise ConfigError(f"pipelines extend each other in a circle: {' -> '.join([*chain, following])}")
        if following not in known:
            by = f" (extended by '{chain[-1]}')" if chain else ""
            others = [name for name in known if name not in chain]
            raise ConfigError(
                f"unknown pipeline '{following[:200]}'{by}{nearest(str(following), others)} (all: `versemill list`)"
            )
        chain.append(following)
        following = (known[following] or {}).get("extends")
    merged: dict[str, Any] = {}
    for link in reversed(chain):
        merged = _merge(merged, {k: v for k, v in (known[link] or {}).items() if k not in ("extends", "description")})
    return {**merged, "description": (known[name] or {}).get("description", "")}


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _override(text: str) -> dict[str, Any]:
    path, equals, value = text.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys) or len(keys) > pages.MOST_DEPTH:
        raise ConfigError(f"--set needs section.key=value, got '{text[:200]}'")
    nested: Any = pages.parse(value, f"the value of --set {path}")
    for key in reversed(keys):
        nested = {key: nested}
    return nested


def _build(name: str, merged: Mapping[str, Any]) -> Pipeline:
    prefix = f"pipeline '{name}'"
    for key in merged:
        if key not in KEYS:
            raise ConfigError(f"{prefix}: unknown key '{str(key)[:200]}'{nearest(str(key), KEYS)}")
    built = {key: _section(prefix, key, model, merged.get(key)) for key, model in SECTIONS.items()}
    return Pipeline(
        name=name, description=str(merged["description"] or ""), sources=_entries(prefix, merged.get("sources")), **built
    )


def _entries(prefix: str, content: Any) -> dict[str, SourceEntry]:
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise ConfigError(f"{prefix}: sources must be a mapping of entries, got {_shown(content)}")
    entries = {}
    for key, body in content.items():
        if body is None:  # an inherited entry, taken out
            continue
        path = f"sources.{key}"
        if not isinstance(body, dict):
            raise ConfigError(f"{prefix}: {path} must be a mapping, got {_shown(body)}")
        own = {k: v for k, v in body.items() if k in ("source", "share")}
        entry = _section(prefix, path, SourceEntry, {"source": str(key), **own})
        kind = _sources.SOURCES.find(entry.source)
        rest = {k: v for k, v in body.items() if k not in own}
        config = _section(prefix, path, kind.config, rest, extra=("source", "share"))
        if entry.share > 0:
            entries[str(key)] = entry.model_copy(update={"config": config})
    if not entries:
        raise ConfigError(f"{prefix}: sources needs at least one entry with a share above 0")
    return entries


def _section(prefix: str, path: str, model: type[Any], content: Any, extra: Sequence[str] = ()) -> Any:
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise ConfigError(f"{prefix}: {path} must be a mapping, got {_shown(content)}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{prefix}: {'; '.join(_explain(path, error, extra))}") from error


def _explain(path: str, error: ValidationError, extra: Sequence[str]) -> list[str]:
    """One phrase per mistake: its full path, what is wrong, the value or the nearest valid key."""
    phrases: dict[str, str] = {}
    for detail in error.errors():
        message = detail["msg"].removeprefix("Value error, ")
        message = message[0].lower() + message[1:]
        loc = [part for part in detail["loc"] if isinstance(part, int) or _is_key(part, error)]
        where = ".".join([path, *map(str, loc)])
        if detail["type"] == UNKNOWN_KEY:
            valid = [*detail["ctx"]["valid"], *(extra if len(loc) == 1 else ())]
            phrases[where] = f"unknown key '{where}'{nearest(str(loc[-1]), valid, '.'.join([path, *map(str, loc[:-1]), '']))}"
        elif where in phrases:
            phrases[where] += f", or {message}"
        else:
            given = "" if isinstance(detail["input"], dict) else f" (got {_shown(detail['input'])})"
            phrases[where] = f"{where}: {message}{given}"
    return list(phrases.values())[:5]


def _is_key(part: str, error: ValidationError) -> bool:
    """Whether a part of an error's location is a key, and not pydantic's name of a union's branch."""
    return not any(mark in part for mark in "[(") and part not in ("int", "float", "str", "bool", "none", "tuple", "list")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "..."
