"""Every limit on callers and on bundles, in one frozen value. Imports msgspec alone.

How patient this side is with a disk, a registry or AWS is written where it waits; what the
registry's records may hold is `maas.registry.records`'.

LIMITS.texts          # 32
replace(LIMITS, texts=4)   # a test's own
"""

from msgspec import Struct


class Limits(Struct, frozen=True):
    """What a request, an answer and a bundle may be at the most (inclusive)."""

    body_bytes: int = 1_048_576
    """Bytes of a text or table request's body."""
    response_bytes: int = 1_048_576
    """Bytes of a text task's answer; Lambda itself ends at 6 MB."""
    json_depth: int = 32
    """Levels of nested lists and objects in a body."""
    json_values: int = 20_000
    """Values of a body: a million bytes of `1,` take twenty times as long to read as of text."""
    number_digits: int = 20
    """Digits of a number in a body, but for the zeros that it begins with; no double has more."""
    texts: int = 32
    """Texts in one request."""
    text_characters: int = 20_000
    """Code points of one text: tokenising costs time before truncation does."""
    request_characters: int = 100_000
    """Code points of all texts of a request together."""
    image_bytes: int = 4_400_000
    """Bytes of an image request's body: base64 makes them almost Lambda's 6 MB."""
    tensor_bytes: int = 4_400_000
    """Bytes of a request by tensors, also when unpacked, and of its answer."""
    tensor_values: int = 300_000
    """Values of a body of tensors in JSON, which takes as long to read as 20 MB of bytes."""
    table_rows: int = 1_000
    """Rows of one table."""
    columns: int = 1_000
    """Columns of a table."""
    images: int = 32
    """Images in one request."""
    image_side: int = 16_384
    """Pixels of an image's longer side: resizing keeps whole rows and columns."""
    image_pixels: int = 2**24
    """Pixels of one image, told from its header before any of them is decoded."""
    request_pixels: int = 2**25
    """Pixels of all images of a request together."""
    input_side: int = 1_024
    """Pixels of the longer side of what a model looks at."""
    audio_bytes: int = 4_400_000
    """Bytes of a sound request's body: base64 makes them almost Lambda's 6 MB."""
    clips: int = 8
    """Clips of sound in one request: one after the other, each a run."""
    clip_seconds: int = 30
    """Seconds of one clip, told from its header before a sample of it is decoded."""
    clip_channels: int = 8
    """Channels of a clip."""
    clip_rate: int = 192_000
    """Samples a second of a clip, and of what a model listens to."""
    ctc_tokens: int = 10_000
    """Tokens that a model spells what it hears with."""
    beams: int = 8
    """Texts that are written side by side for one answer."""
    new_tokens: int = 512
    """Tokens that may be written for one text, by a manifest or by a request."""
    context_tokens: int = 2_048
    """Tokens that a model which goes on with a text may be given and write, together."""
    prompts: int = 8
    """Texts in one request that are gone on with: one after the other, each a run per token."""
    messages: int = 128
    """Messages of a conversation."""
    stops: int = 4
    """Texts of a request at which writing ends."""
    stop_characters: int = 64
    """Code points of one of them: as many at the end of what is written may be held back."""
    windows: int = 128
    """Rows that a model is given for one request, where it reads parts of texts, or pairs."""
    candidate_labels: int = 64
    """Labels that a caller may think of for a text."""
    label_characters: int = 256
    """Code points of one of them."""
    template_characters: int = 1_000
    """Code points of the sentence that they are put into."""
    context_characters: int = 100_000
    """Code points of a text that a question is asked about; all of it is read."""
    answers: int = 100
    """Answers to one question, and so its largest `top_k`."""
    labels: int = 1_000
    """Labels of a classifier, and so the largest `top_k`."""
    deadline_seconds: float = 10.0
    """Time that one request may take."""
    deadline_margin_seconds: float = 0.5
    """Part of Lambda's remaining time that is kept for the answer itself."""
    catalog_seconds: float = 1.8
    """Time that one read of the registry may take; who asks is told within two seconds."""
    page_records: int = 1_000
    """Records of one page of the catalog."""
    concurrency: int = 64
    """Requests that `maas serve` answers at a time; Lambda has a bound of its own."""
    tokens: int = 512
    """Tokens of one text that a manifest may ask for; what is longer is cut."""
    loaded_versions: int = 8
    """Versions of one model that a process keeps in memory; the least recently used goes first."""
    bundle_bytes: int = 2 * 1024**3
    """Bytes of all files of a bundle together."""
    bundle_files: int = 32
    """Files of a bundle beside its manifest."""
    manifest_bytes: int = 1_048_576
    """Bytes of a manifest."""
    signature_bytes: int = 65_536
    """Bytes of a bundle's signature; one of all files that there may be has a sixth of that."""
    graph_bytes: int = 512 * 1024**2
    """Bytes of an ONNX file without the weights beside it."""
    graph_fields: int = 2_000_000
    """Fields of an ONNX file that are read, nested ones included; about as many microseconds.
    Numbers of one field that follow each other are one."""
    graph_nodes: int = 100_000
    """Nodes of a graph, those of nested graphs included."""
    graph_depth: int = 8
    """Levels of graphs within a graph."""
    graph_elements: int = 2**28
    """Elements of one tensor, as far as the graph says how large it is: a gigabyte of floats."""
    graph_turns: int = 1_000_000
    """Turns of a loop whose count stands in the graph."""
    tree_nodes: int = 1_000_000
    """Nodes of all trees of an ensemble together."""
    tree_depth: int = 1_000
    """Levels of one tree: ONNX Runtime builds them by recursion, and dies of 20,000."""
    tokenizer_bytes: int = 32 * 1024**2
    """Bytes of a tokenizer.json."""
    golden_bytes: int = 16 * 1024**2
    """Bytes of a bundle's golden requests."""
    added_tokens: int = 1_000
    """Tokens of a tokenizer beside its vocabulary; each is searched for in every text."""


LIMITS = Limits()
