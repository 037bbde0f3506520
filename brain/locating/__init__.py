"""How far objects are and how large, by the point cloud of their keyframe."""
