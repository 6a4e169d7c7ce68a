"""Programs that `maas bench` starts in fresh processes; they import nothing of the lab."""
