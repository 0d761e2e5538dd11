"""A worker of a simulated search, to be killed; arguments: FOLDER and the number of candidates.

No candidate is ended early, because the median pruner depends on the order of the reports.
"""

import sys
from pathlib import Path

from chainrule.search.workers import Worker, work
from tests.search.problem import Pretended, plan, study_in

if __name__ == "__main__":
    folder, trials = Path(sys.argv[1]), int(sys.argv[2])
    study = study_in(folder)
    with Worker(study, folder, beats=False) as worker:
        work(study, plan(trials, "coarse_to_fine", "none"), Pretended(seconds=0.25), worker)
