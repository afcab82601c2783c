"""The HTTP service: it waits, refuses and answers; what it says of a picture is the pipeline's."""
