"""Texts that a foreign model is compared on, and whose answers are recorded. Imports nothing.

TEXTS[:8]        # short ones and long ones, of several alphabets
"""

_SENTENCES = (
    "A gripping story, told with warmth and wit.",
    "Tedious.",
    "The invoice of 12 March was paid twice, and nobody noticed until the auditors came.",
    "Is this seat taken?",
    "Der Zug nach Köln hat heute leider fünfzehn Minuten Verspätung.",
    "今天天气很好我们去公园散步吧。",
    "Le serveur a renvoyé l'erreur 503; réessayez dans dix minutes.",
    "She sold 1,204 shares at $18.75 each (a loss of 3.2 %).",
    "good",
    "I would not recommend this phone to anybody: it is slow, loud and far too expensive.",
    "Mix flour, butter and sugar; bake for forty minutes at 180 °C; let it cool.",
    "¿Dónde está la biblioteca?",
    "Angela Merkel met Emmanuel Macron in Paris on Tuesday.",
    "not bad at all",
    "ERROR 2026-11-25T04:12:09Z worker-3: connection reset by peer",
    "To be, or not to be, that is the question.",
)
TEXTS = (
    *_SENTENCES,
    *(f"{one} {other}" for one, other in zip(_SENTENCES, _SENTENCES[5:], strict=False)),
    " ".join(_SENTENCES[:6]),
    " ".join(_SENTENCES[6:]),
    " ".join(_SENTENCES),
    "wit " * 600,
    "?!",
    "x",
)
"""One word to more than any model reads."""
