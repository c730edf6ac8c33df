"""What is to be made: pipelines in YAML, the sources, the plan of a run, and one asset's way through the stages."""
