"""What runs in the sandbox server: standard library only, so that a bare `python -I -S -B` can load it.

server      starts the workers, and ends with the harness
watch       one worker: starts candidates and a tester, holds them to the limits, waits for their end
clock       measures what a program has used: time without waiting for a CPU, memory, threads
tester      runs the trusted tests and reports the verdict
candidate   runs the untrusted source and answers the tester's questions
peer        one process asking the other to do something with its objects
wire, encoding, decoding   values as bytes and back
remote      the candidate's objects as the tests see them
names       what names stand for that the tests use without defining them
usage       what the text of the tests says about how they use a name
confine     what a process gives up before it runs anything from outside
seccomp, landlock, namespaces, kernel   the system calls for it
packages    the installed packages that programs may import
limits, descriptors   the limits of a program; open files
"""
