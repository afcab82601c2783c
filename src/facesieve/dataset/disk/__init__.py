"""Files and folders of a dataset: where each one lies, how it is written, and how damage is noticed."""
