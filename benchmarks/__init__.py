"""What DeepLens costs and finds, measured: each module is run as `python -m benchmarks.NAME [--json]`."""
