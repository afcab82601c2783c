"""A dataset on disk: `disk` holds its files and folders, `tables` its rows, and the modules here open it as a whole."""
