"""What happens once, when a component is built: the user's app is imported and everything it will need is brought along.

A component has no file system at run time: what is not in memory when the snapshot is taken is not there. See BUILD_PROTOCOL.md.
"""
