"""One file a robot; each exports `ROBOT`. A robot's constants stand in its file and nowhere else."""
