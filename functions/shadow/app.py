"""The one entry of a shadow's function: requests from its queue, asked once more and compared."""

from maas.http.shadow_entry import build_shadow_handler
from maas.settings import read_settings

handler = build_shadow_handler(read_settings())
