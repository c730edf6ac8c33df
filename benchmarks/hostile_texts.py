"""Names of files that attack a terminal, a page or a path; and pages of YAML that attack who reads them."""

NAMES = (
    "a[/red]b", "[bold]x", "[link=http://evil]y", "[/]", "\\[red]", ":bomb:", "\x1b[31mred", "\x1b]0;title\x07", "\x1b[2J", "\x9b31m",
    "a\rb", "a\nb", "a\tb", "a\bb", "\x7f", "\u202egpj.exe", "\u2066x\u2069", "\u200fx", "<script>alert(1)</script>", "<b>x</b>",
    "</script>", "<img src=x onerror=alert(1)>", "![x](evil)", "[x](javascript:x)", "# x", "- x", "| x |", "`x`", "**x**", "{{ x }}",
    "{% x %}", "$(touch x)", "`touch x`", "; rm x", "-rf", "--help", "%s%n", "'\"", "ü\u0308é漢字", "x" * 200,
)  # fmt: skip
"""Forty, each the stem of a file name."""

_LEVELS = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))

PAGES = {
    "alias bomb": "l0: &l0 x\n" + _LEVELS,
    "alias bomb of mappings": "l0: &l0 {a: 1}\n" + _LEVELS.replace("[", "{b: [").replace("]", "]}"),
    "merge bomb": "a: &a {x: 1}\nb: {<<: [" + ", ".join(["*a"] * 30_000) + "]}",
    "alias of itself": "pipelines: &p {x: *p}",
    "list within itself": "pipelines: &p [*p]",
    "deep flow lists": "[" * 50_000,
    "deep flow mappings": "{a: " * 50_000,
    "deep block lists": "- " * 50_000,
    "deep keys": "? " * 50_000,
    "deep closed": "[" * 50_000 + "]" * 50_000,
    "digits": "pipelines: {x: {run: {assets: " + "9" * 5000 + "}}}",
    "hexadecimal": "pipelines: {x: {run: {assets: 0x" + "f" * 50_000 + "}}}",
    "octal": "pipelines: {x: {run: {assets: 0" + "7" * 5000 + "}}}",
    "sexagesimal": "pipelines: {x: {run: {assets: 1" + ":59" * 2000 + "}}}",
    "infinity": "pipelines: {x: {run: {deadline_s: .inf}}}",
    "not a number": "pipelines: {x: {run: {deadline_s: .nan}}}",
    "exponent": "pipelines: {x: {run: {assets: 1e400}}}",
    "python call": "pipelines: !!python/object/apply:os.system [touch x]",
    "python name": "pipelines: !!python/name:os.system",
    "unknown tag": "pipelines: !x {}",
    "bytes": "pipelines: {x: {description: !!binary aGk=}}",
    "date": "pipelines: {x: {description: 2001-01-01}}",
    "impossible date": "pipelines: {x: {description: 9999-99-99}}",
    "set": "pipelines: !!set {x}",
    "list as a key": "? [1]\n: 2",
    "key twice": "pipelines: {x: {}, x: {}}",
    "extends a list": "pipelines: {x: {extends: [x]}}",
    "extends a mapping": "pipelines: {x: {extends: {a: b}}}",
    "extends itself": "pipelines: {x: {extends: x}}",
    "extends in a circle": "pipelines: {x: {extends: y}, y: {extends: x}}",
    "number as a name": "pipelines: {1: {}}",
    "numbers as keys": "pipelines: {x: {run: {1: 2}}}",
    "list of pipelines": "pipelines: [x]",
    "source of nowhere": "pipelines: {x: {sources: {a: {source: ':x'}}}}",
    "source above": "pipelines: {x: {sources: {a: {source: '..x:y'}}}}",
    "source of any module": "pipelines: {x: {sources: {a: {source: 'os:system'}}}}",
    "long text": "pipelines: {x: {description: '" + "x" * 500_000 + "'}}",
    "long page": "# " + "x" * 5_000_000,
    "many values": "pipelines: {x: {shards: {splits: [" + "1," * 100_000 + "]}}}",
    "nulls": "pipelines: \0",
}
"""Forty, each a file of pipelines without a usable pipeline `x`."""
