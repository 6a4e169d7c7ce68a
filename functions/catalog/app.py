"""The one entry of the catalog's function: what the registry holds, read-only."""

from maas.http.catalog_entry import build_catalog_handler
from maas.settings import read_settings

handler = build_catalog_handler(read_settings())
