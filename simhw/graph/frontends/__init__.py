"""Importers: one per file, each turns a user's network into a Graph."""
