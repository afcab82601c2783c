"""Named models: a catalog of their weights, how they are fetched, converted and verified, and what runs them."""
