"""Each feature defined once (SQL with a YAML header), compiled to one SQL text for any as_of."""
