from __future__ import annotations

import pytest
import torch

from simhw.models import fashion_resnet, tiny_llama


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def llama():
    return tiny_llama.NETWORK.load()


@pytest.fixture(scope="session")
def resnet():
    return fashion_resnet.NETWORK.load()
