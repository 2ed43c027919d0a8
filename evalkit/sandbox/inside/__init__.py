"""What runs in the sandbox server: standard library only, so that a bare `python -I -S -B` can load it.

server      holds the workers; dies with the harness, and they with it
watch       one worker: starts candidates and a tester, holds them to the limits, reaps
clock       what a program has used: time without waiting for a CPU, memory, threads
tester      runs the trusted tests, says the verdict
candidate   runs the untrusted source, answers calls
peer, wire, remote   what passes between those two, and how
confine     what a process gives up before it runs anything from outside
seccomp, landlock, namespaces, kernel   how it gives it up
limits, descriptors   small things that several of these need
"""
