"""A dataset's later life: verify, retry, rebuild, extend, compare, merge, find duplicates, and estimate the cost of more."""
