"""Programs that record the numbers of other libraries need packages which the tests do not."""

collect_ignore_glob = ["*_of_torch.py", "*_of_sacrebleu.py"]
