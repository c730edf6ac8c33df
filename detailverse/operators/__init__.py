"""Detail operators, one topic per module; every module here is imported by the registry."""
