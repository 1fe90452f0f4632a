"""The commands: the edge that reads the clock, prints, and exits; what they do is done elsewhere."""
