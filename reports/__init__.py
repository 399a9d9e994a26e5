"""Result rows made readable: a table for the terminal, a self-contained page for the browser.

``table`` needs rich, ``overview`` needs jinja2 and matplotlib; this file imports neither, so that whoever
needs no report does not wait for them.
"""
