"""Two-dimensional maps of the crops: UMAP, t-SNE and PCA."""
