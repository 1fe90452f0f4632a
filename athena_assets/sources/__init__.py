"""Where rows come from: the simulator, Online Retail II, mapped files."""
