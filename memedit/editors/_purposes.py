"""What each editor is for, in a line: read without importing any of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PURPOSES: Mapping[str, str] = MappingProxyType(
    {
        "auto": "the default: chooses note or serac, whichever suits the model and the request",
        "note": "the model reads the facts as a short note and answers in its own words",
        "ike": "the model reads the fact after worked examples; any model, short answers",
        "serac": "a trained adapter reads the fact and answers, short and sure; one for each model",
        "mello": "questions over several facts, some of them edited, answered step by step",
        "memprompt": "corrections that users gave, shown as a clarification before the question",
        "rag": "baseline: the three nearest facts in the system message, whatever is asked",
        "grace": "a codebook at one layer: a stored answer where a prompt is near a stored key",
        "grace_relative": "grace with radii that fit the model",
        "melo": "small adapters, chosen by the nearest stored key",
        "wise": "a side memory beside one layer, for many edits one after the other",
        "tpatcher": "one extra neuron for every wrong word",
        "calinet": "a small side network, trained on a batch of facts at once",
        "rome": "writes one fact into the weights at a time (locate and edit); needs a subject",
        "memit": "writes many facts into the weights at once; needs subjects and statistics",
        "alphaedit": "memit that leaves what is known alone; needs subjects and statistics",
        "ultraedit": "many facts one after the other, from one gradient each; no statistics",
        "mend": "a trained network turns an edit's gradient into a better change of weights",
        "ke": "a trained network turns an edit's text into a change of weights",
        "kn": "rewrites the neurons that hold the fact",
        "lora": "baseline: one low-rank adapter, trained on the edits",
        "ft": "baseline: fine-tuning of one layer",
        "ft_l": "baseline: fine-tuning of one layer under a bound",
        "ft_m": "baseline: fine-tuning of one layer on the answer's words alone",
    }
)
"""Those to begin with first."""
