"""Readers of published sets of labelled sentences, each in its publisher's own format.

One module a set, each with one function ``read``: from the folder as it was downloaded to
rows, one a sentence, with ``id``, ``text``, ``context`` (the text before it) and the fields
that `claimstance.external` asks for. A file that is missing or malformed raises
`claimstance.errors.InputError`.
"""
