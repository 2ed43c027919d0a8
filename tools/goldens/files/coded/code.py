def ask(doc):
    return f"{doc['question']} One word:"
