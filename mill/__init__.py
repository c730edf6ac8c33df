"""The run: configuration, Ray, ledger, report and command line."""
