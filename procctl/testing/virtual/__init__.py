"""A fleet that is made up from the ground: the whole agent and the whole controller, and below them no machine, no
network and no time but what a seed says.

Agents, controller, sessions, lines, journals and everything that decides are those of any program. Made up are
programs, keepers, disks, the wires between hosts, and clocks.
"""
