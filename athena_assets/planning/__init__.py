"""Planning: what a backfill, a contract change or a promotion would do, said before it is done. Nothing here writes."""
