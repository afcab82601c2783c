"""Child processes that may die, and the protocol between them and this process. Knows nothing of HTTP or builds."""
