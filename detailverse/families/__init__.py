"""Families, one per module; every module here is imported by the registry."""
