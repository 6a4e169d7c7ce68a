"""Which versions of a model exist, which of them answers, and who changed that when.

Imports nothing. The rooms: `records` (what is stored), `addresses` (how versions are named),
`rules` and `weights` (what a change does), `registry` and `reader` (the door), `store`, `layout`
and `sqlite` (where it lies), `policy_cache` (how a function reads it).

    from maas.registry.stores import open_registry
"""
