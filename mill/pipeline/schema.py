"""The JSON schema of a pipelines file, for editors: names, values and descriptions, as the models have them."""

from typing import Any

from versemill.config import Config
from versemill.mill.pipeline.config import SECTIONS
from versemill.mill.pipeline.sources import SOURCES

FILE = "pipelines.schema.json"


def schema() -> dict[str, Any]:
    """Schema (JSON Schema 2020-12) of `{pipelines: {NAME: ...}}`. A value left out is inherited, so nothing is required."""
    entries = {name: _entry(name, source.config) for name, source in SOURCES.items()}
    own = {"type": ["object", "null"], "properties": _common("NAME or package.module:NAME"), "description": "another source"}
    pipeline = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "description": {"type": "string", "description": "one line for `versemill list`"},
            "extends": {"type": "string", "description": "the pipeline that this one changes"},
            "sources": {
                "type": "object",
                "description": "entry -> source, share and that source's settings; null takes an inherited entry out",
                "properties": entries,
                "additionalProperties": own,
            },
            **{name: _section(model) for name, model in SECTIONS.items()},
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "versemill pipelines",
        "type": "object",
        "required": ["pipelines"],
        "additionalProperties": False,
        "properties": {"pipelines": {"type": "object", "additionalProperties": pipeline}},
    }


def _common(source: str) -> dict[str, Any]:
    return {
        "source": {"type": "string", "description": f"{source}; by default the entry's name"},
        "share": {"type": "number", "minimum": 0, "default": 1.0, "description": "weight in the mix; 0 leaves the source out"},
    }


def _entry(name: str, model: type[Config]) -> dict[str, Any]:
    section = _section(model)
    return {**section, "type": ["object", "null"], "properties": _common(name) | section["properties"]}


def _section(model: type[Config]) -> dict[str, Any]:
    """A model's schema with its definitions put in place, so that each section stands alone."""
    whole = model.model_json_schema()
    definitions = whole.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            target = definitions[node["$ref"].removeprefix("#/$defs/")]
            return resolved({**target, **{key: value for key, value in node.items() if key != "$ref"}})
        kept = {key: resolved(value) for key, value in node.items() if not (key == "required" and "properties" in node)}
        if isinstance(kept.get("title"), str):
            del kept["title"]
        return kept

    result: dict[str, Any] = resolved(whole)
    return result
