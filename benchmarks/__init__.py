"""Speed and quality figures, each beside a peer measured in the same run: `python -m benchmarks NAME`."""
