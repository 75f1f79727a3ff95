"""Images of any depth, and files of them that other programs would write."""

import numpy as np
import png
import pydicom
import pydicom.uid
from pydicom.dataset import FileDataset, FileMetaDataset


def write_dicom(path, stored, **tags):
    """Writes a CT image of 12 stored bits, uint16 `(height, width)`; `tags` replace others."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PhotometricInterpretation = "MONOCHROME2"
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.PixelData = stored.tobytes()
    dataset.save_as(path, enforce_file_format=True)


def png_of_16_bits(path):
    """The values of a PNG `(height, width, channels)`, by another reader than ours."""
    width, height, rows, said = png.Reader(bytes=path.read_bytes()).read()
    assert said["bitdepth"] == 16
    return np.array(list(rows)).reshape(height, width, said["planes"])
