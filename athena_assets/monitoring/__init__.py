"""Monitoring: what is wrong, who is told, and what it touches."""
