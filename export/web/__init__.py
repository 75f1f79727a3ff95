"""The page that `export_web` writes. A package only so that installed copies hold it too."""
