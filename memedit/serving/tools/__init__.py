"""The edits as tools of an agent: what there is (``catalogue``), said in the Model Context Protocol
(``protocol``), over HTTP beside the other routes and over the standard streams (``stdio``)."""
