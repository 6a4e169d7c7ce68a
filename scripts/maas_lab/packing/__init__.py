"""What `packaging` is made of: served sets, layers, sizes, the release digest, samconfig.toml."""
