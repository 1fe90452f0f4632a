"""Opening a night: what it is about to use is written down before it is used."""
