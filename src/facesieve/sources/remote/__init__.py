"""Pictures behind URLs: fetched ahead of their use, from public addresses only, politely and within bounds."""
