"""Captions and tags, written from a specification alone: everything that a caption says comes through here."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from versemill.detailverse import substances
from versemill.detailverse.specification import Specification

STYLE_WORDS = {
    "classical": "classical",
    "industrial": "industrial",
    "rustic": "rustic",
    "ornate": "ornate",
    "alien": "futuristic",
}
"""Style -> its adjective; the others have none."""

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
           "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty")  # fmt: skip

SINGULAR = ("canvas", "lens", "cactus")
"""Words that end in s and are one thing, next to those in ss."""

PLURAL = ("feet", "teeth")

MOST_PARTS = 6
"""Parts that a detailed caption speaks of."""


@dataclass(frozen=True)
class PartWords:
    """What is said of one part: its name, what it is made of, and what adorns it."""

    part: str
    name: str
    material: str
    ornament: tuple[str, ...]


@dataclass(frozen=True)
class Captions:
    """Three captions of one asset, and the parts they were put together from."""

    short: str
    plain: str
    detailed: str
    parts: tuple[PartWords, ...]

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "parts": [{**asdict(part), "ornament": list(part.ornament)} for part in self.parts]}


def spelled(text: str) -> str:
    """The text with its numbers up to twenty in words."""
    return re.sub(r"\b\d+\b", lambda m: NUMBERS[int(m[0])] if int(m[0]) < len(NUMBERS) else m[0], text)


def article(words: str) -> str:
    """The words with their indefinite article."""
    lower = words.lower()
    silent, sounded = ("hour", "honest", "heir"), ("uni", "eu", "one", "use", "ukulele")
    vowel = lower.startswith(silent) or (lower[0] in "aeiou8" and not lower.startswith(sounded))
    return f"{'an' if vowel else 'a'} {words}"


def join(words: list[str]) -> str:
    """A list in prose: 'a, b and c'."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def plural(name: str) -> bool:
    """Whether a part's name takes 'are'."""
    last = name.split(" of ")[0].split()[-1]
    return " and " in name or last in PLURAL or (last.endswith("s") and not last.endswith("ss") and last not in SINGULAR)


def describe(spec: Specification) -> tuple[PartWords, ...]:
    """What can be said of each part of a specification."""
    family = spec.family()
    parts = []
    for name, part in spec.parts.items():
        phrases = tuple(dict.fromkeys(o.operator().phrase for o in part.operators))
        parts.append(PartWords(name, family.label(name), substances.phrase(spec.recipe(part.material)), phrases))
    return tuple(parts)


def captions(spec: Specification) -> Captions:
    """The three captions: a few words; one sentence; all that is known of form, materials and ornament."""
    family, parts = spec.family(), describe(spec)
    main = parts[0].material if parts else ""
    operators = [o.operator() for part in spec.parts.values() for o in part.operators]
    ornament = list(dict.fromkeys(op.phrase for op in operators if op.decorates))
    style = STYLE_WORDS.get(spec.style, "") if ornament else ""
    short = _sentence(article(_of(main, family.name())))
    body = article(f"{style} {_of(main, spelled(family.noun()))}".strip())
    made = "decorated with" if spec.style in STYLE_WORDS else "with"
    plain = _sentence(body + (f", {made} {join(ornament[:2])}" if ornament else ""))
    sentences = [_sentence(body), *_materials(parts[:MOST_PARTS]), *_ornaments(parts[:MOST_PARTS])]
    return Captions(short, plain, " ".join(sentences), parts)


def _of(material: str, noun: str) -> str:
    """The noun with its material: at "{}", else in front; a word that both have is said once."""
    if "{}" not in noun:
        noun = f"{{}} {noun}"
    before, after = noun.split("{}", 1)
    if material and after.split() and material.split()[-1] == after.split()[0]:
        material = " ".join(material.split()[:-1])
    return " ".join(f"{before} {material} {after}".split())


def _sentence(text: str) -> str:
    """A sentence: a capital first, a full stop last, 'an' before vowels."""
    text = re.sub(r"\b(an?) (\S+)", lambda m: article(m[2]), text)
    return text[0].upper() + text[1:] + "."


def _materials(parts: tuple[PartWords, ...]) -> list[str]:
    """'Its body and foot are terracotta, and its lid is bronze.'"""
    if not parts:
        return []
    groups: dict[str, list[str]] = {}
    for part in parts:
        names = groups.setdefault(part.material, [])
        if part.name not in names:
            names.append(part.name)
    clauses = []
    for material, names in groups.items():
        many = len(names) > 1 or plural(names[0])
        clauses.append(f"its {join(names)} {'are' if many else 'is'} {material}")
    return [_sentence(clauses[0] if len(clauses) == 1 else f"{', '.join(clauses[:-1])}, and {clauses[-1]}")]


def _ornaments(parts: tuple[PartWords, ...]) -> list[str]:
    """'The body has fluting and a rope border; the lid has ribs.'"""
    said: dict[str, list[str]] = {}
    for part in parts:
        if part.ornament:
            said.setdefault(part.name, []).extend(p for p in part.ornament if p not in said.get(part.name, []))
    clauses = [f"the {name} {'have' if plural(name) else 'has'} {join(phrases)}" for name, phrases in said.items()]
    return [_sentence("; ".join(clauses))] if clauses else []


def tags(spec: Specification) -> tuple[str, ...]:
    """Category, member, style, materials and operators, sorted."""
    known = {spec.category, spec.style, spec.family().name()}
    for part in describe(spec):
        known.add(part.material)
    known |= {o.name.replace("_", " ") for part in spec.parts.values() for o in part.operators}
    return tuple(sorted(word for word in known if word))
