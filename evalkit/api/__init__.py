"""The Python API's functions, one file each. `import evalkit` loads them when they are first used.

definitions    the arguments of every verb
runs           Run, load
comparisons    compare
verdicts       gate
leaderboards   leaderboard
learning_curves   curve
reports        report
evaluation     evaluate
recorded       score
judgments      judge
output         files, stdout, tables for a notebook
"""
