"""Photos in; a clean, aligned, explainable face dataset out."""
