"""The run on Ray: driver, schedule, workers, renderers, watchdog, and what is sent to a cluster's nodes."""
