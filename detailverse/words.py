"""Captions and tags, written from a specification alone."""

from versemill.detailverse.specification import Specification


def material_word(spec: Specification, part: str) -> str:
    """What a part is made of, as an adjective."""
    recipe = spec.materials[spec.parts[part].material]
    return str(recipe["family"]).replace("_", " ")


def article(words: str) -> str:
    """The words with their indefinite article."""
    return f"{'an' if words[0].lower() in 'aeiou' else 'a'} {words}"


def join(words: list[str]) -> str:
    """A list in prose: 'a, b and c'."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def caption(spec: Specification) -> str:
    """One natural sentence: style, material, what it is, and how each part is worked."""
    main = next(iter(spec.parts), None)
    material = f"{material_word(spec, main)} " if main else ""
    text = article(f"{spec.style} {material}{spec.family().noun()}")
    worked = []
    for name, part in spec.parts.items():
        phrases = list(dict.fromkeys(o.operator().phrase for o in part.operators))
        if phrases:
            worked.append(f"{name.replace('_', ' ')} worked with {join(phrases)}")
    if worked:
        text += f", its {join(worked)}" if len(worked) < 3 else f", its {'; its '.join(worked)}"
    return text[0].upper() + text[1:] + "."


def tags(spec: Specification) -> tuple[str, ...]:
    """Category, style, material families and operators, sorted."""
    found = {spec.category, spec.style}
    for name, part in spec.parts.items():
        found.add(material_word(spec, name))
        found.update(o.name.replace("_", " ") for o in part.operators)
    return tuple(sorted(found))
