"""Publish, activate and verify the immutable output of a job."""
