"""Assembles the rooms into processes: control, worker, edge, and the parent that supervises them."""
