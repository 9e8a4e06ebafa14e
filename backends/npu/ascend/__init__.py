"""Ascend C, generated from `Loops`, for Huawei's NPUs."""
