"""What the verbs do, one file each. `import evalkit` loads its public functions from here when they are first used.

definitions    the arguments of run, score, compare, gate, leaderboard, report and judge; those of the other verbs
               stand in a …_definitions.py each
runs           Run, load
comparisons    compare
verdicts       gate
leaderboards   leaderboard
learning_curves   curve
reports        report
exports        export
arenas         arena
plans          plan
rates          rate
overlaps, memberships   overlap (of files; of a model)
synthesis, synth_shows  synth
watches        watch
merging        merge
evaluation     evaluate
recorded       score
judgments      judge
juries         jury
judges         judge steps, calibrate, audit
task_files     tasks list, show, validate, init
known_models   models
mirrors        data pull, check
kept_answers   cache stat, prune
machine        doctor
output         files, stdout, tables for a notebook
"""
