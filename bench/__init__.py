"""Benchmarks: what Athena costs beside a named floor or peer measured in the same run. They assert nothing on time."""
