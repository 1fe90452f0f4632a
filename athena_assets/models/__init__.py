"""One folder per model: `model.yaml` declares, `labels.sql` defines the truth, `recipe.py` fits."""
