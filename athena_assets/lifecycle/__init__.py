"""From labelled snapshots to a tested artifact: for every model, naming none."""
