"""Embeddings of aligned faces: numbers whose distance says how alike two faces are. They never name anybody."""
