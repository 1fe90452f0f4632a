"""A retailer of your own, declared by one mapping YAML."""
