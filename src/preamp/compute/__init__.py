"""Servers of releases: started in the sandbox on first need, kept warm, stopped when nobody asks."""
