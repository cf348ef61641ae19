"""Repeating answers that the application has given, without running it."""
