"""What `deploying` and `destroying` are made of: targets, checks, SAM, AWS's answers."""
