"""What runs in the sandbox server: standard library only, so that a bare `python -I -S -B` can load it.

server      holds the workers; dies with the harness, and they with it
watch       one worker: starts a program's two processes, keeps the limits, reaps
tester      runs the trusted tests, says the verdict
candidate   runs the untrusted source, answers calls
peer, wire, remote   what passes between those two, and how
confine     what a process gives up before it runs anything from outside
seccomp, landlock, namespaces, kernel   how it gives it up
"""
