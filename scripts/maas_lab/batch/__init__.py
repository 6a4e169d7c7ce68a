"""Training on AWS Batch: packing, submitting, following, fetching, and the job's own side."""
