"""How a file says what made it: XMP inside PNG, JPEG and MP4, added without touching a pixel. Writes no files itself.

The packet names the IPTC digital source type ``trainedAlgorithmicMedia``, the model, the seed and the request's fingerprint,
and never the prompt: a file may go where its prompt should not.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO
from xml.sax.saxutils import escape, unescape

from prefect_together.generations.formats import HEAD, sniff

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
SPACE = "https://github.com/prefect-together/prefect-together/ns/1.0/"

_PNG_HEADER = 33  # the signature and IHDR, behind which text chunks may stand
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # XMP specification part 3, 1.2.4: UUID box of MPEG-4
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_PNG_XMP = b"XML:com.adobe.xmp\0\0\0\0\0"
_READ = 256 * 1024  # how much of a file's start and end is searched for a packet


@dataclass(frozen=True)
class Provenance:
    """What made a file, as far as the file itself says it."""

    model: str
    fingerprint: str
    seed: int | None = None

    def packet(self) -> bytes:
        """Return it as an XMP packet."""
        seed = "" if self.seed is None else f' pt:seed="{self.seed}"'
        quote = {'"': "&quot;"}
        return (
            '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
            f'xmlns:pt="{SPACE}" Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}" '
            f'pt:model="{escape(self.model, quote)}" pt:fingerprint="{escape(self.fingerprint, quote)}"{seed}/>'
            '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
        ).encode()

    def before(self, head: bytes) -> tuple[bytes, int]:
        """Return what goes into a file near its start, and behind how many of its bytes; nothing where it goes elsewhere.

        Args:
            head: The first bytes of the file, at least 33.
        """
        packet = self.packet()
        found = sniff(head)
        match found.media_type if found else None:
            case "image/png" if len(head) >= _PNG_HEADER:
                data = _PNG_XMP + packet
                checksum = zlib.crc32(b"iTXt" + data)
                return struct.pack(">I", len(data)) + b"iTXt" + data + struct.pack(">I", checksum), _PNG_HEADER
            case "image/jpeg":
                data = _JPEG_XMP + packet
                return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data, _behind_app0(head)
            case _:
                return b"", 0

    def after(self, head: bytes) -> bytes:
        """Return what goes to the end of a file: a box behind all others moves nothing that the index points at."""
        found = sniff(head)
        if found is None or found.media_type != "video/mp4":
            return b""
        data = _XMP_BOX + self.packet()
        return struct.pack(">I", len(data) + 8) + b"uuid" + data


def carries(media_type: str) -> bool:
    """Tell whether a kind of file can carry provenance."""
    return media_type in {"image/png", "image/jpeg", "video/mp4"}


def read(file: BinaryIO) -> Provenance | None:
    """Return what a file says of what made it, or None where it says nothing."""
    start = file.read(_READ)
    size = file.seek(0, 2)
    file.seek(max(0, size - _READ))
    text = (start + file.read(_READ)).decode("utf-8", "replace")
    if SPACE not in text or sniff(start[:HEAD]) is None:
        return None
    found = {name: unescape(value, {"&quot;": '"'}) for name, value in re.findall(r'pt:(\w+)="([^"]*)"', text)}
    if not {"model", "fingerprint"} <= found.keys():
        return None
    seed = found.get("seed")
    return Provenance(found["model"], found["fingerprint"], int(seed) if seed and seed.isdigit() else None)


def _behind_app0(head: bytes) -> int:
    """Return where APP1 belongs: behind the start marker, and behind JFIF's APP0 where that is the first segment."""
    if head[2:4] != b"\xff\xe0" or len(head) < 6:
        return 2
    end = 4 + struct.unpack(">H", head[4:6])[0]
    return end if end <= len(head) else 2
