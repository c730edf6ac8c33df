"""A PyTorch training loop that reads shards: predict the depth of a view from its colour image."""

import sys
from pathlib import Path

import torch
from quickstart import dataset
from torch import nn
from torch.utils.data import DataLoader

from versemill.shards import ShardDataset

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples")

# Only the cells of the passes and views that are drawn are read; images are averaged down to 32 x 32 and K follows.
data = ShardDataset(dataset(out), passes=("rgb", "depth", "mask"), views=4, resolution=32, background=(1.0, 1.0, 1.0))
loader = DataLoader(data, batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(0))
print({name: tuple(value.shape) for name, value in data[0].items() if isinstance(value, torch.Tensor)})

torch.manual_seed(0)
network = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), nn.GELU(), nn.Conv2d(32, 32, 3, padding=1), nn.GELU(), nn.Conv2d(32, 1, 3, padding=1)
)
optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3)
losses = []
for epoch in range(15):
    data.set_epoch(epoch)  # other views of each asset in every epoch
    for batch in loader:
        images, depth, mask = (batch[name].flatten(0, 1) for name in ("rgb", "depth", "mask"))
        loss = ((network(images) - depth).abs() * mask).sum() / mask.sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
print(f"mean depth error {losses[0]:.2f} -> {losses[-1]:.2f} world units after {len(losses)} steps")
