"""The edge against nginx on the same files, with the same headers."""
