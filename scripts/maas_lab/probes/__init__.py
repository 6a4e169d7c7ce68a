"""Programs that `maas bench` starts in fresh processes.

Before its first answer a probe imports nothing of the lab but this paragraph.
"""
