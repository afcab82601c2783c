"""Pictures behind URLs: fetched before they are needed, from public addresses only, politely and within limits."""
