"""Programs that need packages which the tests do not: they record the numbers of other libraries."""

collect_ignore_glob = ["*_of_torch.py", "*_of_sacrebleu.py"]
