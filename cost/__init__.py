"""What the system costs: usage, prices, charges, roll-up per model, and the page that finance reads.

Plain modules: none of them imports dagster. `assets.py` and `checks.py` put them on the asset graph.
"""
