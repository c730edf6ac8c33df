"""A package from outside the repository that adds a model family, a source, a filter, a pass and an exporter (test_additions.py)."""
