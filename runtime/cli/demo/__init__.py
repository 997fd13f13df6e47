"""`assistants demo`: the main job on real files, with the official SDK, and checked.

Read `command` for the outline and `parts` for the story; `checks` says what has to be
true for a part to count.
"""
