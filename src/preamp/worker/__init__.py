"""Runs one job: build, then release, then verify, writing steps."""
