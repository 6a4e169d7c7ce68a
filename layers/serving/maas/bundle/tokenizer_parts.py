"""The parts that a tokenizer.json may be made of, field by field: what is not here is refused.

May import msgspec. Left out on purpose: patterns that are regular expressions (some take for ever,
or panic on a text), `Precompiled` (its table is followed unchecked, so a bad one panics on every
text), `FixedLength` (panics), sequences within sequences, and dropout (answers by chance). A field
whose name ends in `?` may be absent, as older files have it.

    NORMALIZERS["Replace"]["content"]        # the type of its value
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Short = Annotated[str, Meta(min_length=1, max_length=32)]
"""What is put into a text, or looked for in it."""
Affix = Annotated[str, Meta(max_length=32)]
Character = Annotated[str, Meta(min_length=1, max_length=1)]
Word = Annotated[str, Meta(min_length=1, max_length=128)]
Id = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Vocabulary = dict[str, Id]
Fields = dict[str, object]
"""By name of a field the type of its value."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value with fields of its own."""


class Pattern(Part, frozen=True, rename={"text": "String"}):
    """A plain text to look for."""

    text: Short


class Place(Part, frozen=True):
    """Where a text, or a special token, stands in a template."""

    id: Word
    type_id: Id


class Piece(Part, frozen=True, rename={"special": "SpecialToken", "text": "Sequence"}):
    """One piece of a template: a special token or a text."""

    special: Place | msgspec.UnsetType = msgspec.UNSET
    text: Place | msgspec.UnsetType = msgspec.UNSET


class SpecialToken(Part, frozen=True):
    """What a special token of a template stands for."""

    id: Word
    ids: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=8)]
    tokens: Annotated[tuple[Word, ...], Meta(min_length=1, max_length=8)]


class AddedToken(Part, frozen=True):
    """A token that is found in a text before anything else."""

    id: Id
    content: Word
    single_word: bool
    lstrip: bool
    rstrip: bool
    normalized: bool
    special: bool


Template = Annotated[tuple[Piece, ...], Meta(max_length=16)]
_SPLIT = Literal["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
_METASPACE: Fields = {
    **{"replacement": Character, "prepend_scheme?": Literal["always", "never", "first"]},
    **{"split?": bool, "add_prefix_space?": bool},
}
_BYTE_LEVEL: Fields = {"add_prefix_space": bool, "trim_offsets": bool, "use_regex?": bool}
_REPLACE: Fields = {"pattern": Pattern, "content": Affix}

NORMALIZERS: dict[str, Fields] = {
    **{name: {} for name in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt")},
    "ByteLevel": {},
    "Strip": {"strip_left": bool, "strip_right": bool},
    "BertNormalizer": {
        **{"clean_text": bool, "handle_chinese_chars": bool, "strip_accents": bool | None},
        "lowercase": bool,
    },
    "Prepend": {"prepend": Short},
    "Replace": _REPLACE,
}
PRE_TOKENIZERS: dict[str, Fields] = {
    **{name: {} for name in ("BertPreTokenizer", "Whitespace", "WhitespaceSplit")},
    "UnicodeScripts": {},
    "Punctuation": {"behavior?": _SPLIT},
    "Digits": {"individual_digits": bool},
    "CharDelimiterSplit": {"delimiter": Character},
    "Split": {"pattern": Pattern, "behavior": _SPLIT, "invert": bool},
    "Metaspace": _METASPACE,
    "ByteLevel": _BYTE_LEVEL,
}
POST_PROCESSORS: dict[str, Fields] = {
    "BertProcessing": {"sep": tuple[Word, Id], "cls": tuple[Word, Id]},
    "RobertaProcessing": {
        **{"sep": tuple[Word, Id], "cls": tuple[Word, Id]},
        **{"trim_offsets": bool, "add_prefix_space": bool},
    },
    "ByteLevel": _BYTE_LEVEL,
    "TemplateProcessing": {
        **{"single": Template, "pair": Template},
        "special_tokens": Annotated[dict[str, SpecialToken], Meta(max_length=16)],
    },
}
DECODERS: dict[str, Fields] = {
    **{"ByteFallback": {}, "Fuse": {}, "ByteLevel": _BYTE_LEVEL, "Metaspace": _METASPACE},
    "WordPiece": {"prefix": Affix, "cleanup": bool},
    "BPEDecoder": {"suffix": Affix},
    "Replace": _REPLACE,
    "Strip": {"content": Character, "start": Id, "stop": Id},
}
MODELS: dict[str, Fields] = {
    "WordLevel": {"vocab": Vocabulary, "unk_token": str},
    "WordPiece": {
        **{"vocab": Vocabulary, "unk_token": str, "continuing_subword_prefix": Affix},
        # Work on a word grows with its square or worse: one of 8,000 letters took 9 s.
        "max_input_chars_per_word": Annotated[int, Meta(ge=1, le=200)],
    },
    "BPE": {
        **{"vocab": Vocabulary, "merges": tuple[str | tuple[str, str], ...]},
        **{"dropout?": None, "unk_token?": str | None, "fuse_unk?": bool},
        **{"continuing_subword_prefix?": Affix | None, "end_of_word_suffix?": Affix | None},
        **{"byte_fallback?": bool, "ignore_merges?": bool},
    },
    "Unigram": {
        **{"vocab": tuple[tuple[str, float], ...], "unk_id": Id, "byte_fallback?": bool},
    },
}
SEQUENCES = {
    "normalizer": "normalizers",
    "pre_tokenizer": "pretokenizers",
    "post_processor": "processors",
    "decoder": "decoders",
}
"""By room, the field of a `Sequence` that lists its parts."""
TRUNCATION: Fields = {
    **{"direction?": Literal["Left", "Right"], "max_length": Id, "stride": Id},
    "strategy": Literal["LongestFirst", "OnlyFirst", "OnlySecond"],
}
PADDING: Fields = {
    **{"strategy": Literal["BatchLongest"] | dict[Literal["Fixed"], Id]},
    **{"direction": Literal["Left", "Right"], "pad_to_multiple_of": Id | None},
    **{"pad_id": Id, "pad_type_id": Id, "pad_token": Word},
}
