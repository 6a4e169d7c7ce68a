"""Sound to arrays: WAV files, by numpy alone."""
