"""What `bench` is made of: texts, a packed function, programs, figures, a plot."""
