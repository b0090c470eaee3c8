"""claimstance: how a news article stands, sentence by sentence, to what it reports."""

__version__ = "0.1.0"
