"""Programs that validate the library or measure its tests; they are run by hand, not by pytest.

    compare_checkouts  whether two checkouts train, save and predict the same
    seeded_faults      how many faults, seeded into the source, the tests catch
    show_stack         the frames between a command and the cost
    make_old_runs      the small runs that later versions must load
    honesty            no held-out row changes a trained weight
    interruptions      nothing is lost when a training or a search is killed
    diagnoses          whether the diagnosis finds a problem that was put in
    label_errors       how many flipped labels are found
    goals              chosen thresholds and confidence intervals, where the truth is known

`python -m tests.validation.NAME` runs one of them. The suite runs short versions of some.
"""
