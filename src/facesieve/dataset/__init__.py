"""A dataset on disk: `disk` is about its files and folders, `tables` about its rows, and the modules here join both."""
