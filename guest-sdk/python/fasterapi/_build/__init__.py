"""What happens once, when a component is built: the user's app is imported and everything it will need is brought along.

At run time a component has its app's data files at most: what else is not in memory when the snapshot is taken is not there. See BUILD_PROTOCOL.md.
"""
