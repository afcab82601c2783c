"""Build engines, which run the shards of a build: in this process alone, or in a pool of worker processes.

A build engine is not an inference engine, which runs a network. To add a build engine, write one more file here that
satisfies `engine.BuildEngine`, and add one line to `choose.engine_for`.
"""
