"""Athena's software-defined assets, one folder per stage; `definitions.py` is where all parts meet."""
