"""The dataset's folder: its layout and lock, staging, ledger, census, fingerprint, disk space, card."""
