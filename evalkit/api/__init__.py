"""What the verbs do, one file each. `import evalkit` loads its public functions from here when they are first used.

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
judges         judge steps, calibrate, audit
task_files     tasks list, show, validate, init
known_models   models
mirrors        data pull, check
kept_answers   cache stat, prune
machine        doctor
output         files, stdout, tables for a notebook
"""
