"""The base of every configuration model: unknown keys are refused, values can't change after validation."""

import difflib
import hashlib
import json
from collections.abc import Iterable
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

UNKNOWN_KEY = "unknown_key"
"""Type of the error of an unknown key; its context holds the `valid` keys."""


class Config(BaseModel):
    """A frozen pydantic model that forbids unknown keys. Each stage's package defines its own subclass.

    Raises:
        pydantic.ValidationError: an invalid value, or an unknown key: of type "unknown_key", with the nearest valid one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _suggest(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            details = error.errors(include_url=False)
            if not any(detail["type"] == "extra_forbidden" for detail in details):
                raise
            raise ValidationError.from_exception_data(error.title, [cls._line(detail) for detail in details]) from None

    @classmethod
    def _line(cls, detail: ErrorDetails) -> InitErrorDetails:
        """A line of an error again; one on an unknown key of this model with the nearest valid key."""
        context: dict[str, Any] = detail.get("ctx", {})
        kind: str | PydanticCustomError = detail["type"]
        if detail["type"] == "extra_forbidden":
            word, valid = str(detail["loc"][-1]), list(cls.model_fields)
            text = f"unknown key '{word}'{nearest(word, valid)}"
            kind = PydanticCustomError(UNKNOWN_KEY, "{text}", {"text": text, "valid": valid})
        elif detail["type"] == UNKNOWN_KEY:
            kind = PydanticCustomError(UNKNOWN_KEY, "{text}", context)
        line = InitErrorDetails(type=kind, loc=detail["loc"], input=detail["input"])
        return line if isinstance(kind, PydanticCustomError) else {**line, "ctx": context}


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
