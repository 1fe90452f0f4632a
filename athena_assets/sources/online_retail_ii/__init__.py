"""The UCI Online Retail II file, declared as a source."""
