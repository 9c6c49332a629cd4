"""`assay report`: a period on one page, for the person who answers for the money."""
