"""Small files in the formats of vendors, written byte by byte: the readers' packages ship none."""

import struct
from pathlib import Path
from xml.sax.saxutils import quoteattr

import imagecodecs
import numpy as np

# Leica: an XML header and blocks of memory


def write_lif(path: Path, images: dict[str, np.ndarray], axes: str) -> None:
    """Write 16-bit images; `axes` names their axes, out of TZCYX."""
    elements, blocks = [], []
    numbers = {"X": 1, "Y": 2, "Z": 3, "T": 4}
    metres = {"X": 0.2e-6, "Y": 0.3e-6, "Z": 1e-6, "T": 5.0}
    for number, (name, pixels) in enumerate(images.items()):
        pixels = pixels.astype("<u2")
        strides = dict(zip(axes, pixels.strides, strict=True))
        sizes = dict(zip(axes, pixels.shape, strict=True))
        dims = "".join(
            f'<DimensionDescription DimID="{numbers[axis]}" NumberOfElements="{sizes[axis]}" Origin="0" '
            f'Length="{metres[axis] * (sizes[axis] - 1)}" Unit="{"s" if axis == "T" else "m"}" '
            f'BitInc="0" BytesInc="{strides[axis]}"/>'
            for axis in reversed(axes)
            if axis != "C"
        )
        channels = "".join(
            f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" NameOfMeasuredQuantity="" Min="0" '
            f'Max="65535" Unit="" LUTName="Gray" IsLUTInverted="0" '
            f'BytesInc="{strides.get("C", 0) * channel}" BitInc="0"/>'
            for channel in range(sizes.get("C", 1))
        )
        elements.append(
            f'<Element Name={quoteattr(name)} Visibility="1" UniqueID="u{number}"><Data><Image><ImageDescription>'
            f"<Channels>{channels}</Channels><Dimensions>{dims}</Dimensions></ImageDescription></Image></Data>"
            f'<Memory Size="{pixels.nbytes}" MemoryBlockID="MemBlock_{number}"/><Children/></Element>'
        )
        blocks.append((f"MemBlock_{number}", pixels.tobytes()))
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="test" Visibility="1"><Data/><Memory Size="0" '
        f'MemoryBlockID="MemBlock_x"/><Children>{"".join(elements)}</Children></Element></LMSDataContainerHeader>'
    ).encode("utf-16-le")
    with path.open("wb") as file:
        file.write(struct.pack("<IIBI", 0x70, len(xml) + 5, 0x2A, len(xml) // 2) + xml)
        for name, content in blocks:
            words = name.encode("utf-16-le")
            file.write(struct.pack("<IIBQBI", 0x70, 14 + len(words), 0x2A, len(content), 0x2A, len(name)))
            file.write(words + content)


# Zeiss: segments


def write_czi(
    path: Path, tiles: list[tuple[dict[str, int], np.ndarray]], compression: int = 0, um: float = 0.25
) -> None:
    """Write tiles (Y, X) or (Y, X, 3) uint8 or uint16, each with its start along X, Y, Z, C, T, S, M."""
    xml = (
        "<ImageDocument><Metadata><Scaling><Items>"
        + "".join(
            f'<Distance Id="{axis}"><Value>{um * 1e-6 * factor}</Value></Distance>'
            for axis, factor in {"X": 1, "Y": 1, "Z": 4}.items()
        )
        + "</Items></Scaling></Metadata></ImageDocument>"
    ).encode()

    def segment(sid: str, content: bytes) -> bytes:
        content += b"\0" * (-len(content) % 32)
        return struct.pack("<16sqq", sid.encode(), len(content), len(content)) + content

    def entry(start: dict[str, int], pixels: np.ndarray, position: int) -> bytes:
        kind = {(2, 1): 0, (2, 2): 1, (3, 1): 3, (3, 2): 4}[pixels.ndim, pixels.itemsize]
        sizes = {"X": pixels.shape[1], "Y": pixels.shape[0]}
        axes = ["X", "Y", *(axis for axis in start if axis not in "XY")]
        words = b"".join(
            struct.pack(
                "<4siifi", axis.encode(), start.get(axis, 0), sizes.get(axis, 1), 0.0, sizes.get(axis, 1)
            )
            for axis in axes
        )
        return (
            struct.pack("<2siqiiBB4si", b"DV", kind, position, 0, compression, 0, 0, b"", len(axes)) + words
        )

    def packed(pixels: np.ndarray) -> bytes:
        raw = (pixels[..., ::-1] if pixels.ndim == 3 else pixels).tobytes()
        if compression == 5:
            return imagecodecs.zstd_encode(raw)
        if compression == 6:
            halves = np.frombuffer(raw, np.uint8).reshape(-1, 2).T.tobytes()
            return bytes([3, 1, 1]) + imagecodecs.zstd_encode(halves)
        return raw

    header = 32 + 512
    content, entries = b"", []
    for start, pixels in tiles:
        position = header + len(content)
        words = entry(start, pixels, position)
        data = packed(pixels)
        block = struct.pack("<iiq", 0, 0, len(data)) + words
        block += b"\0" * max(240 - len(words), 0) + data
        content += segment("ZISRAWSUBBLOCK", block)
        entries.append(words)
    directory = header + len(content)
    content += segment("ZISRAWDIRECTORY", struct.pack("<i124x", len(entries)) + b"".join(entries))
    metadata = header + len(content)
    content += segment("ZISRAWMETADATA", struct.pack("<ii248x", len(xml), 0) + xml)
    first = struct.pack("<iiii16s16siqqiq", 1, 0, 0, 0, b"", b"", 0, directory, metadata, 0, 0)
    path.write_bytes(segment("ZISRAWFILE", first.ljust(512, b"\0")) + content)


# Nikon: named chunks, metadata as typed trees


def _tree(values: dict) -> bytes:
    made = b""
    for name, value in values.items():
        word = (name + "\0").encode("utf-16-le")
        head = bytes([0, len(name) + 1]) + word
        if isinstance(value, bool):
            made += b"\1" + head[1:] + struct.pack("<B", value)
        elif isinstance(value, int):
            made += b"\3" + head[1:] + struct.pack("<I", value)
        elif isinstance(value, float):
            made += b"\6" + head[1:] + struct.pack("<d", value)
        elif isinstance(value, str):
            made += b"\x08" + head[1:] + (value + "\0").encode("utf-16-le")
        else:
            inner = _tree(value)
            length = 2 + len(word) + 12 + len(inner)
            made += (
                b"\x0b" + head[1:] + struct.pack("<IQ", len(value), length) + inner + b"\0" * (8 * len(value))
            )
    return made


def write_nd2(
    path: Path, frames: np.ndarray, um: float = 0.5, period: float | None = None, lost: tuple[int, ...] = ()
) -> None:
    """Write frames (T, Y, X, C) uint16 of channels that were taken together."""
    count, height, width, channels = frames.shape
    attributes = {
        "uiWidth": width, "uiWidthBytes": width * channels * 2, "uiHeight": height, "uiComp": channels,
        "uiBpcInMemory": 16, "uiBpcSignificant": 16, "uiSequenceCount": count, "eCompression": 2,
        "uiTileWidth": 0, "uiTileHeight": 0,
    }  # fmt: skip
    planes = {
        f"a{number}": {
            "uiCompCount": 1,
            "uiSampleIndex": 0,
            "sDescription": f"channel {number}",
            "uiColor": 255,
            "pFluorescentProbe": {"m_sName": "dye"},
        }
        for number in range(channels)
    }
    picture = {
        "dCalibration": um, "bCalibrated": True, "dAspect": 1.0, "dObjectiveMag": 1.0, "dObjectiveNA": 1.0,
        "dRefractIndex1": 1.0, "dTimeAbsolute": 2458000.0, "dTimeMSec": 0.0, "dXPos": 0.0, "dYPos": 0.0, "dZPos": 0.0,
        "sPicturePlanes": {"uiCount": channels, "uiSampleCount": 1, "uiCompCount": channels, "sPlaneNew": planes},
    }  # fmt: skip
    chunks = {
        "ImageAttributesLV!": _tree({"SLxImageAttributes": attributes}),
        "ImageMetadataSeqLV|0!": _tree({"SLxPictureMetadata": picture}),
        "ImageTextInfoLV!": _tree({"SLxImageTextInfo": {"TextInfoItem_0": ""}}),
    }
    if period is not None:
        loop = {"uiCount": count, "dStart": 0.0, "dPeriod": period, "dDuration": 0.0, "dMinPeriodDiff": 0.0,
                "dMaxPeriodDiff": 0.0, "dAvgPeriodDiff": period}  # fmt: skip
        level = {"eType": 1, "uLoopPars": loop, "uiRepeatCount": 0, "uiNextLevelCount": 0}
        chunks["ImageMetadataLV!"] = _tree({"SLxExperiment": level})
    for number, frame in enumerate(frames):
        if number not in lost:
            chunks[f"ImageDataSeq|{number}!"] = struct.pack("<d", 0.0) + frame.astype("<u2").tobytes()

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack("<IIQ", 0x0ABECEDA, len(name), len(content)) + name + content

    made = chunk(b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver3.0".ljust(64, b"\0"))
    places = b""
    for name, content in chunks.items():
        places += name.encode() + struct.pack("<QQ", len(made), len(content))
        made += chunk(name.encode().ljust(4072 if "Seq|" in name and "Data" in name else 0, b"\0"), content)
    location = len(made)
    listing = places + b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", location)
    path.write_bytes(made + chunk(b"ND2 FILEMAP SIGNATURE NAME 0001!", listing))
