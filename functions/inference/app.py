"""The one entry of every per-model function; `MAAS_MODEL` says which model it answers for."""

from maas.http.entry import build_handler
from maas.settings import read_settings

handler = build_handler(read_settings())
