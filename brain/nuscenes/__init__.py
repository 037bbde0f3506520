"""nuScenes dataroots: tables, geometry, point clouds, loading."""
