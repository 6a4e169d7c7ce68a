"""Which versions of a model exist, which of them answers, and who changed that when.

Imports nothing: the rooms are `records` (what is stored), `addresses` (how versions are named),
`rules` (what a change does), `store` and `sqlite` (where it lies), `registry` (the door) and
`policy_cache` (how a function reads it).

    from maas.registry.registry import Registry
    from maas.registry.stores import open_store
"""
