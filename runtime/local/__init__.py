"""The whole runtime on one machine, from one command.

`foreground` is what the terminal holds; `supervisor` tells the story; `children` keeps
one process alive; `stack` says which processes there are. Who outlives whom:

    assistants up (foreground) ──pipe──> supervisor (a session of its own) ──> children

If the foreground dies, the supervisor reads the end of the pipe and stops everything in
order. If the supervisor dies, its children become the foreground's (a subreaper) and are
ended there. If both die, the kernel signals each child (`launch`), and the next start
ends whatever is left (`leftovers`).
"""
