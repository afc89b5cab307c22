"""Task files for lm-evaluation-harness that read local data.

Other programs can use them too::

    lm_eval --include_path memedit/evaluation/tasks --tasks memedit_sst2 \\
        --metadata '{"data": "/path/to/downstream"}' ...
"""
