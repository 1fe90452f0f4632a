"""From raw rows to clean canonical tables: rules as data, the engine that applies them, quarantine."""
