"""The fields of a loaded dataset."""

from __future__ import annotations

from collections.abc import Mapping

import fiftyone as fo
from fiftyone.utils.utils3d import OrthographicProjectionMetadata

GROUND_TRUTH = "ground_truth"
THUMBNAIL = "orthographic_projection_metadata"
"""The field in which the App looks for the picture of a 3D sample."""

SAMPLE_FIELDS: Mapping[str, type[fo.Field]] = {
    "sample_token": fo.StringField,
    "sample_data_token": fo.StringField,
    "scene_token": fo.StringField,
    "scene_name": fo.StringField,
    "scene_description": fo.StringField,
    "location": fo.StringField,
    "logfile": fo.StringField,
    "vehicle": fo.StringField,
    "date_captured": fo.StringField,
    "is_night": fo.BooleanField,
    "is_rain": fo.BooleanField,
    "split": fo.StringField,
    "timestamp": fo.IntField,
    "frame_idx": fo.IntField,
    "load_status": fo.StringField,
    "load_reason": fo.StringField,
}
POSE_FIELDS = ("sensor_to_world", "ego_pose", "world_pose")
LABEL_FIELDS: Mapping[str, type[fo.Field]] = {
    "category": fo.StringField,
    "visibility": fo.StringField,
    "num_lidar_pts": fo.IntField,
    "num_radar_pts": fo.IntField,
    "ann_token": fo.StringField,
    "instance_token": fo.StringField,
    "distance": fo.FloatField,
}
LABEL_LIST_FIELDS: Mapping[str, type[fo.Field]] = {
    "attribute_names": fo.StringField,
    "velocity": fo.FloatField,
    "location": fo.FloatField,
    "dimensions": fo.FloatField,
    "rotation": fo.FloatField,
    "quaternion": fo.FloatField,
}


def declare_fields(dataset: fo.Dataset, ground_truth: bool) -> None:
    """Declares every field, so that all are in the schema of all slices."""
    for name, kind in SAMPLE_FIELDS.items():
        dataset.add_sample_field(name, kind)
    # declared here because only slices that are new widen the schema
    for name in ("width", "height", "num_channels"):
        dataset.add_sample_field(f"metadata.{name}", fo.IntField)
    embedded = dict.fromkeys(POSE_FIELDS, fo.StaticTransform)
    for name, kind in {
        **embedded,
        THUMBNAIL: OrthographicProjectionMetadata,
    }.items():
        dataset.add_sample_field(
            name, fo.EmbeddedDocumentField, embedded_doc_type=kind
        )
    if not ground_truth:
        return
    dataset.add_sample_field(
        GROUND_TRUTH,
        fo.EmbeddedDocumentField,
        embedded_doc_type=fo.Detections,
    )
    prefix = f"{GROUND_TRUTH}.detections"
    for name, kind in LABEL_FIELDS.items():
        dataset.add_sample_field(f"{prefix}.{name}", kind)
    for name, kind in LABEL_LIST_FIELDS.items():
        dataset.add_sample_field(
            f"{prefix}.{name}", fo.ListField, subfield=kind
        )
    dataset.add_sample_field(
        f"{prefix}.instance",
        fo.EmbeddedDocumentField,
        embedded_doc_type=fo.Instance,
    )
