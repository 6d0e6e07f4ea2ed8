"""The rig that compares proxies side by side: see ../README.md. Standard library only."""
