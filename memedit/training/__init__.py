"""What is trained once, in advance: the scope's classifier, SERAC's counterfactual model."""
