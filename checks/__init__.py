"""Data tests: one contract per table, the compiler that turns a contract into checks, and the gate."""
