"""Which cell answers for which face, and how wrong its answer is."""

from __future__ import annotations

import torch
from network import OUTPUTS, STRIDES
from torch import Tensor
from torch.nn import functional

REACH = 2  # a face may be answered for by the 5 x 5 cells around its middle, at each stride
MOST_CELLS = 8
SCORE_WEIGHT, BOX_WEIGHT, LANDMARK_WEIGHT = 1.0, 2.0, 0.8


class Cells:
    """The cells of all three strides in one row, for frames of one size."""

    def __init__(self, height: int, width: int) -> None:
        self.shapes = [(height // s, width // s) for s in STRIDES]
        self.starts = [0]
        for rows, columns in self.shapes:
            self.starts.append(self.starts[-1] + rows * columns)
        parts = []
        for stride, (rows, columns) in zip(STRIDES, self.shapes, strict=True):
            y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
            parts.append(torch.stack([x.flatten() + 0.5, y.flatten() + 0.5, torch.ones(rows * columns)], 1) * stride)
        self.centre, self.stride = torch.cat(parts).split([2, 1], dim=1)

    def row(self, outputs: tuple[Tensor, ...]) -> Tensor:
        """(N, cells, 15) in float32."""
        return torch.cat([o.flatten(2) for o in outputs], dim=2).transpose(1, 2).float()

    def boxes(self, raw: Tensor, cell: Tensor) -> Tensor:
        """Corners from the raw values 1..4 of the cells numbered `cell`."""
        stride = self.stride[cell]
        middle = self.centre[cell] + raw[:, :2] * stride
        half = raw[:, 2:].clamp(max=5).exp() * stride / 2
        return torch.cat([middle - half, middle + half], dim=1)

    def around(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """(F, 75) numbers of the cells near each face's middle, and whether they exist and suit its size."""
        middle = (faces[:, :2] + faces[:, 2:4]) / 2
        size = ((faces[:, 2:4] - faces[:, :2]).clamp(min=1).prod(dim=1)).sqrt()
        step = torch.arange(-REACH, REACH + 1)
        dy, dx = (d.flatten() for d in torch.meshgrid(step, step, indexing="ij"))
        numbers, suits = [], []
        for level, (stride, (rows, columns)) in enumerate(zip(STRIDES, self.shapes, strict=True)):
            x = (middle[:, :1] / stride).floor().long() + dx
            y = (middle[:, 1:] / stride).floor().long() + dy
            exists = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
            # Each stride takes faces of 1 to 5 cells, the finest also smaller and the coarsest also larger ones.
            low = 0.0 if level == 0 else 1.6 * stride
            high = 1e9 if level == len(STRIDES) - 1 else 5.0 * stride
            away = torch.stack([(x + 0.5) * stride - middle[:, :1], (y + 0.5) * stride - middle[:, 1:]], -1)
            within = (away.abs() <= (faces[:, None, 2:4] - faces[:, None, :2]) * 0.5).all(-1)
            nearest = (dx == 0) & (dy == 0)
            fits = ((size >= low) & (size <= high))[:, None]
            numbers.append(self.starts[level] + y.clamp(0, rows - 1) * columns + x.clamp(0, columns - 1))
            suits.append(exists & fits & (within | nearest))
        return torch.cat(numbers, 1), torch.cat(suits, 1)


def overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and distance-IoU of boxes, row by row."""
    common = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    area = [(x[..., 2:] - x[..., :2]).clamp(min=1e-3).prod(-1) for x in (a, b)]
    iou = common / (area[0] + area[1] - common).clamp(min=1e-6)
    outer = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).pow(2).sum(-1)
    apart = ((a[..., :2] + a[..., 2:]) - (b[..., :2] + b[..., 2:])).pow(2).sum(-1) / 4
    return iou, iou - apart / outer.clamp(min=1e-6)


def assign(cells: Cells, raw: Tensor, frame: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs (face, cell): for each face the few cells that answer best now; a cell answers for one face."""
    number, suits = cells.around(faces)
    count, tried = number.shape
    near = raw[frame[:, None], number]
    boxes = cells.boxes(near[..., 1:5].reshape(-1, 4), number.flatten()).view(count, tried, 4)
    iou, _ = overlap(boxes, faces[:, None, :4])
    iou = torch.where(suits, iou, torch.zeros_like(iou))
    away = (cells.centre[number] - ((faces[:, :2] + faces[:, 2:4]) / 2)[:, None]) / cells.stride[number]
    cost = functional.softplus(-near[..., 0]) - 3 * iou.clamp(min=1e-4).log() + 0.2 * away.pow(2).sum(-1)
    cost = torch.where(suits, cost, torch.full_like(cost, 1e9))
    # As many cells as their boxes are worth together: few where all are bad, several where they agree.
    wanted = iou.topk(MOST_CELLS, dim=1).values.sum(1).floor().clamp(1, MOST_CELLS)
    best = cost.topk(MOST_CELLS, dim=1, largest=False)
    taken = (torch.arange(MOST_CELLS)[None] < wanted[:, None]) & (best.values < 1e8)
    face, place = taken.nonzero(as_tuple=True)
    cell = number[face, best.indices[face, place]]
    paid = best.values[face, place]
    key = frame[face] * cells.starts[-1] + cell
    lowest = torch.full((int(key.max()) + 1 if len(key) else 1,), 2e9).scatter_reduce(0, key, paid, "amin")
    first = paid <= lowest[key]
    return face[first], cell[first]


def loss(cells: Cells, outputs: tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Score, box and landmark losses, weighted. `labels` is (N, most, 15) as frames.py writes it."""
    raw = cells.row(outputs)
    total = raw.shape[0] * cells.starts[-1]
    target = torch.zeros(total)
    counts = torch.ones(total)
    frame, row = (labels[..., 14] == 2).nonzero(as_tuple=True)
    for f, r in zip(frame.tolist(), row.tolist(), strict=True):
        x1, y1, x2, y2 = labels[f, r, :4].tolist()
        x, y = cells.centre.unbind(1)
        counts.view(-1, cells.starts[-1])[f][(x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)] = 0
    frame, row = (labels[..., 14] == 1).nonzero(as_tuple=True)
    zero = raw.sum() * 0
    box_loss = landmark_loss = zero
    if len(frame):
        faces = labels[frame, row]
        with torch.no_grad():
            face, cell = assign(cells, raw, frame, faces)
        mine, truth = raw[frame[face], cell], faces[face]
        boxes = cells.boxes(mine[:, 1:5], cell)
        iou, distance_iou = overlap(boxes, truth[:, :4])
        weight = 1 / torch.bincount(face, minlength=len(faces)).clamp(min=1)[face]
        weight = weight / len(faces)
        box_loss = ((1 - distance_iou) * weight).sum()
        size = (truth[:, 2:4] - truth[:, :2]).clamp(min=4)
        points = cells.centre[cell][:, None] + mine[:, 5:OUTPUTS].view(-1, 5, 2) * cells.stride[cell][:, None]
        off = (points - truth[:, 4:14].view(-1, 5, 2)) / size[:, None]
        error = functional.smooth_l1_loss(off, torch.zeros_like(off), beta=0.005, reduction="none").mean((1, 2))
        landmark_loss = (error * weight).sum() * 10
        key = frame[face] * cells.starts[-1] + cell
        # A middling box still means a face: the root keeps small faces, whose boxes are worse, above the threshold.
        target[key] = iou.detach().clamp(0.25, 1).sqrt()
        counts[key] = 1
    score = raw[..., 0].flatten()
    p = score.detach().sigmoid()
    focus = torch.where(target > 0, (target - p).abs().clamp(min=0.1), 0.75 * p.pow(2))
    each = functional.binary_cross_entropy_with_logits(score, target, reduction="none") * focus * counts
    score_loss = each.sum() / (target > 0).sum().clamp(min=8) * 2
    return SCORE_WEIGHT * score_loss, BOX_WEIGHT * box_loss, LANDMARK_WEIGHT * landmark_loss
