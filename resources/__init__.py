"""Everything with a lifetime or a secret: the warehouse, the registry, the meter, the orchestrator's storage."""
