"""From a model that was made elsewhere to a bundle: `maas import` (infra/decisions/0017)."""
