"""A package from outside: it adds a model family, a source, a filter, a pass and an exporter (see test_additions.py)."""
