"""Records become files: crops, manifests and what made them. Everything is published whole."""
