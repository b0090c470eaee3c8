"""To the tools in which people label, and back: one module for each tool.

Each has a function that writes tasks as the tool reads them, and one that reads what the
tool exports as `claimstance.labelling.common.Answer` objects. What makes an answer a
legal label is the same for all, and stands in `common`.
"""
