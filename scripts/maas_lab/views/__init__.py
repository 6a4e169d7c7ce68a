"""What each verb says, for people and for machines."""
