"""From a traced controller and bound requirements to one executable that flies."""
