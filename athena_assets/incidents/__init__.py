"""Incidents of the book, replayed: a small retailer, the pipeline that failed, and what its failure measures."""
