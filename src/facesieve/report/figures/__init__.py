"""The numbers of the report, counted in one stream over the rows of a dataset: memory does not grow with the faces."""
