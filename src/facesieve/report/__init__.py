"""What a finished dataset says of itself; reads its files only."""
