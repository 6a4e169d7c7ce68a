"""One module per wire format; each only translates between it and a task's structs."""
