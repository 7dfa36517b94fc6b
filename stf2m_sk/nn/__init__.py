"""The torch modules of the network; nothing here imports scikit-learn."""
