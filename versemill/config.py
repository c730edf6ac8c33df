"""The base of every configuration model: unknown keys are refused, values can't change after validation."""

import difflib
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """A frozen pydantic model that forbids unknown keys. Each stage's package defines its own subclass."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values have equal text on every machine."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of a JSON-able value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def nearest(word: str, known: Iterable[str], prefix: str = "") -> str:
    """The end of an error line: "; did you mean 'x'?", or the known words where no word is near, or "" without known words."""
    words = list(known)
    matches = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    if matches:
        return f"; did you mean '{prefix}{matches[0]}'?"
    return f"; valid: {', '.join(words)}" if words else ""
