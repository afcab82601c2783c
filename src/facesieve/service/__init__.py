"""The HTTP service: it admits or refuses requests, passes pictures to the pipeline, and sends the answers."""
