"""The pipeline: every gate between a change and production, the same on a laptop and in CI."""
