"""Chooses limits for a finished dataset, with evidence, and shows which measures predict recognition in it.

    tables ─ columns of measures ─┬ a share to keep ──── limits ─┬ policy with evidence as comments
                                  ├ good and bad examples ───────┘
                                  └ embeddings, labels ─ curves of errors while the worst faces are discarded

Reads tables only: no picture, no network.
"""
