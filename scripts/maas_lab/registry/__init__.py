"""What a laptop does with a registry: make it, check it, move it, and run DynamoDB Local."""
