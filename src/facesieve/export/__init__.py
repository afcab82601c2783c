"""Exports of a finished dataset in the formats that trainers read: one format a file."""
