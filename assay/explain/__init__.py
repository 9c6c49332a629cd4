"""`assay explain`: where a figure of Gold comes from, down to the rows of the files."""
