"""What does the shards of a build: this process alone, or a pool of worker processes.

Another engine is one more file here that satisfies `engine.BuildEngine`, and one line in `choose.engine_for`.
"""
