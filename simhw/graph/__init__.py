"""A network as data, with its operators and importers."""
