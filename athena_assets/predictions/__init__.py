"""Candidate scores of the champion, and their publication behind blocking checks."""
