"""claimstance: how a news article stands, sentence by sentence, to what it reports.

>>> from claimstance import Classifier
>>> Classifier.load().classify("It will probably rain.").predictions[0].certainty
'probable'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from claimstance.api import ClassifiedArticle, Classifier, to_frame

__version__ = "0.1.0"
__all__ = ["ClassifiedArticle", "Classifier", "to_frame"]


def __getattr__(name: str) -> Any:
    """Load the API when it is first asked for: ``claimstance --help`` needs none of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from claimstance import api

    return getattr(api, name)
