"""Speed and quality figures, each next to a comparable library measured in the same run: `python -m benchmarks NAME`."""
