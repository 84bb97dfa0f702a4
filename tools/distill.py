"""Train the built-in network `vgg19_quarter` to know what VGG-19 knows.

    python tools/distill.py --teacher vgg19.pth --photos FOLDER
    python tools/distill.py --teacher blocks.safetensors encoder.safetensors --photos FOLDER

The student is VGG-19 up to relu5_1 with a quarter of the channels. It starts as a series of ridge
regressions: each layer, from the student's own 3×3 patches to the teacher's most telling channels.
Then it is trained so that linear maps of its activations ("heads", thrown away afterwards) predict
the teacher's activations at every layer; the loss is the unexplained share of their variance,
1 - R².

--teacher takes a torchvision VGG-19 state dict, whole or its first blocks only. A second file, the
quarter-width encoder of Wang et al. (CVPR 2020, "Collaborative Distillation"), teaches the layers
that the first one lacks: its own activations, and its estimates of VGG-19's relu4_1 and relu5_1.

Every `--hold-out`-th picture (in order of file names) is kept from training; the figures printed
are R² on those. Stop it at any time: the same command resumes where it was, and `--steps` may
change.
"""

import argparse
import random
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from pytorch_optimizer import SOAP
from safetensors.torch import save
from scipy.linalg import qr
from torch import Tensor, nn
from tqdm import tqdm

from nst.devices import pick_device
from nst.errors import ImageError
from nst.files import write_atomically
from nst.files.checkpoints import fit_weights
from nst.files.weights import read_weights
from nst.images import open_image
from nst.loop import interruptible
from nst.networks import ARCHITECTURES, VGG, Architecture

CONVOLUTIONS = [f"{b}_{i}" for b, n in enumerate((2, 2, 4, 4, 1), 1) for i in range(1, n + 1)]
PIXELS_A_BATCH = 8 * 128 * 128
CROPS = (128, 160, 192)
# Where few channels have to stand for many, the student needs pushing; deeper layers follow easily.
WEIGHTS = dict.fromkeys(CONVOLUTIONS, 1.0) | {"1_2": 3.0, "2_1": 8.0, "2_2": 3.0, "3_1": 8.0}
WEIGHTS |= {"3_2": 5.0, "3_3": 3.0, "3_4": 2.0, "4_2": 0.3, "4_3": 0.3, "4_4": 0.3, "5_1": 0.3}
SHRINK = 2.5  # the most that a crop is shrunk
Lesson = tuple[Tensor, dict[str, Tensor]]  # crops (B, 3, S, S), and the targets of each layer


class VGGTeacher(nn.Module):
    """The first blocks of VGG-19: pre-activations of its convolutions, and what to predict."""

    def __init__(self, state: dict[str, Tensor]):
        super().__init__()
        convolutions = sum(v.dim() == 4 for v in state.values())
        blocks = 3 if convolutions < 13 else 5
        self.network = VGG(
            Architecture((2, 2, 4, 4, 1)[:blocks], (64, 128, 256, 512, 512)[:blocks])
        )
        fit_weights(self.network.layers, state, "the teacher")
        self.taught = [n for n in CONVOLUTIONS if int(n[0]) <= blocks]

    def forward(self, image: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Pre-activations and targets of the layers taught, by name ("3_1")."""
        conv = self.network(image, [f"conv{n}" for n in self.taught])
        pre = {n: conv[f"conv{n}"] for n in self.taught}
        return pre, {n: F.relu(v) for n, v in pre.items()}


class EncoderTeacher(nn.Module):
    """The published quarter-width encoder, for blocks 4 and 5."""

    def __init__(self, state: dict[str, Tensor]):
        super().__init__()
        self.weights = nn.ParameterDict({k.replace(".", "_"): v for k, v in state.items()})
        self.taught = [n for n in CONVOLUTIONS if int(n[0]) >= 4]

    def convolve(self, x: Tensor, key: str) -> Tensor:
        """The convolution of that name; unpadded."""
        return F.conv2d(x, self.weights[f"{key}_weight"], self.weights[f"{key}_bias"])

    def forward(self, image: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Pre-activations and targets of the layers taught; see VGGTeacher."""
        x, pre, targets = self.convolve(image, "conv0"), {}, {}
        for name in CONVOLUTIONS:
            key = "conv" + name.replace("_", "")
            if name.endswith("_1") and name != "1_1":
                x = F.max_pool2d(x, 2)
            y = self.convolve(F.pad(x, (1, 1, 1, 1), mode="reflect"), key)
            x = F.relu(y)
            if name in self.taught:
                head = f"{key}_aux"
                pre[name] = y
                estimated = f"{head}_weight" in self.weights
                targets[name] = F.relu(self.convolve(x, head)) if estimated else x
        return pre, targets


Teacher = VGGTeacher | EncoderTeacher


def load_teachers(paths: list[Path], device: torch.device) -> list[Teacher]:
    """One teacher a file, told apart by the names of their weights."""
    states = [read_weights(path) for path in paths]
    teachers = [
        (EncoderTeacher(s) if "conv11.weight" in s else VGGTeacher(s)).to(device) for s in states
    ]
    taught = {n for teacher in teachers for n in teacher.taught}
    if taught != set(CONVOLUTIONS):
        sys.exit(f"nobody teaches {', '.join(sorted(set(CONVOLUTIONS) - taught))}")
    return teachers


@torch.no_grad()
def teach(teachers: list[Teacher], image: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Pre-activations and targets of all layers; a layer's first teacher wins."""
    pre: dict[str, Tensor] = {}
    targets: dict[str, Tensor] = {}
    for teacher in reversed(teachers):
        a, b = teacher(image)
        pre |= a
        targets |= b
    return pre, targets


# Pictures


def read_pictures(paths: list[Path]) -> list[Tensor]:
    """uint8 tensors (3, H, W), the short side fit for the largest crop; the unreadable left out."""
    pictures = []
    for path in tqdm(paths, "reading", leave=False):
        try:
            image = open_image(path)
        except ImageError as problem:
            tqdm.write(f"left out: {problem}")
            continue
        short = min(image.size)
        k = min(max(short, max(CROPS) + 1), SHRINK * max(CROPS)) / short
        size = (round(image.width * k), round(image.height * k))
        pixels = np.array(image.resize(size, Image.Resampling.LANCZOS))
        pictures.append(torch.from_numpy(pixels).permute(2, 0, 1).contiguous())
    return pictures


def random_crop(picture: Tensor, size: int) -> Tensor:
    """A random square of the picture, shrunk at random, mirrored half the time: (3, S, S)."""
    side = min(round(size * random.uniform(1.0, SHRINK)), *picture.shape[1:])
    top = random.randrange(picture.shape[1] - side + 1)
    left = random.randrange(picture.shape[2] - side + 1)
    crop = picture[None, :, top : top + side, left : left + side].float() / 255
    crop = F.interpolate(crop, size=(size, size), mode="bilinear", antialias=True)[0]
    return crop.flip(-1) if random.random() < 0.5 else crop


def disturb(crops: Tensor, share: float) -> Tensor:
    """Make a share of the crops look as in mid-optimisation: blends, noise, odd colours."""
    out = crops.clone()
    for i in range(len(crops)):
        if random.random() >= share:
            continue
        if random.random() < 0.4:
            blend = random.random()
            out[i] = blend * crops[i] + (1 - blend) * crops[random.randrange(len(crops))]
        if random.random() < 0.4:
            out[i] = out[i][torch.randperm(3)]
        if random.random() < 0.4:
            gain, pivot = random.uniform(0.5, 1.8), random.random()
            out[i] = (out[i] - pivot) * gain + pivot
        if random.random() < 0.4:
            out[i] += random.uniform(0, 0.25) * torch.randn_like(out[i])
    return out.clamp(0, 1)


def random_batch(pictures: list[Tensor], disturbed: float = 0.5) -> Tensor:
    """Crops of one random size, (B, 3, size, size), a share of them disturbed."""
    size = random.choice(CROPS)
    count = PIXELS_A_BATCH // size**2
    crops = torch.stack([random_crop(random.choice(pictures), size) for _ in range(count)])
    return disturb(crops, disturbed)


class Lessons:
    """Batches with the teachers' targets; each is used `reuse` times on average.

    The teachers cost more than the student, so a part of the batches is drawn from the last
    `capacity` ones.
    """

    def __init__(
        self,
        teachers: list[Teacher],
        pictures: list[Tensor],
        device: torch.device,
        reuse: float,
        disturbed: float,
        capacity: int = 80,
    ):
        self.teachers, self.pictures, self.device = teachers, pictures, device
        self.disturbed = disturbed
        self.reuse, self.capacity = reuse, capacity
        self.stored: list[Lesson] = []

    def draw(self) -> Lesson:
        """Crops (B, 3, S, S) and their targets by layer."""
        if len(self.stored) >= 8 and random.random() > 1 / self.reuse:
            return random.choice(self.stored)
        image = random_batch(self.pictures, self.disturbed).to(self.device)
        targets = {n: t.half() for n, t in teach(self.teachers, image)[1].items()}
        self.stored = [*self.stored[-self.capacity + 1 :], (image, targets)]
        return self.stored[-1]


# The student's first weights


def regress(x: Tensor, y: Tensor, ridge: float = 1e-3) -> tuple[Tensor, Tensor]:
    """Ridge regression of y (n, outputs) on x (n, inputs): weights (outputs, inputs) and bias."""
    x, y = x.double(), y.double()
    mean_x, mean_y = x.mean(0), y.mean(0)
    x, y = x - mean_x, y - mean_y
    gram = x.T @ x
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram)).to(gram)
    weight = torch.linalg.solve(gram, x.T @ y).T
    return weight.float(), (mean_y - weight @ mean_x).float()


def rows(feature: Tensor, margin: int = 1) -> Tensor:
    """(B, C, H, W) → (positions, C), borders left out: there, paddings differ."""
    return feature[..., margin:-margin, margin:-margin].permute(0, 2, 3, 1).flatten(0, 2)


@torch.no_grad()
def first_weights(
    student: VGG,
    heads: nn.ModuleDict,
    teachers: list[Teacher],
    images: list[Tensor],
    unit: dict[str, Tensor],
    trained: bool = False,
) -> None:
    """Set the student, unless it is trained, and its heads, layer by layer, by ridge regression."""
    positions, wanted, targets = [], [], []
    for image in tqdm(images, "asking the teachers", leave=False):
        pre, target = teach(teachers, image)
        # A thousand positions of each layer: all of them would not fit into memory.
        at = {n: torch.randperm(len(rows(x)))[:1000] for n, x in pre.items()}
        positions.append(at)
        wanted.append({n: rows(pre[n])[at[n]] for n in CONVOLUTIONS})
        targets.append({n: rows(target[n])[at[n]] / unit[n] for n in CONVOLUTIONS})
    inputs = [student.normalise(image) for image in images]
    for name in tqdm(CONVOLUTIONS, "first weights", leave=False):
        if name.endswith("_1") and name != "1_1":
            inputs = [F.max_pool2d(x, 2) for x in inputs]
        layer = convolution(student, name)
        if not trained:
            answers = torch.cat([answer[name] for answer in wanted])
            answers = answers[:, telling_channels(F.relu(answers), layer.out_channels)]
            # Unpadded patches, so that their rows are those of `rows`.
            patches = torch.cat(
                [
                    F.unfold(x, 3).transpose(1, 2).flatten(0, 1)[at[name]]
                    for x, at in zip(inputs, positions, strict=True)
                ]
            )
            # One gain a layer: activations of size 1 suit an optimiser that knows no scales.
            size = F.relu(answers).square().mean().sqrt()
            weight, bias = regress(patches, answers / size, 1e-4)
            layer.weight.copy_(weight.view_as(layer.weight))
            layer.bias.copy_(bias)  # type: ignore[union-attr]
        inputs = [F.relu(layer(x)) for x in inputs]
        features = torch.cat([rows(x)[at[name]] for x, at in zip(inputs, positions, strict=True)])
        weight, bias = regress(features, torch.cat([target[name] for target in targets]))
        head(heads, name).weight.copy_(weight)
        head(heads, name).bias.copy_(bias)


def convolution(student: VGG, name: str) -> nn.Conv2d:
    """The student's convolution of that name ("3_1")."""
    layer = student.layers[f"conv{name}"]
    assert isinstance(layer, nn.Conv2d)
    return layer


def head(heads: nn.ModuleDict, name: str) -> nn.Linear:
    """The head of the layer of that name."""
    layer = heads[name]
    assert isinstance(layer, nn.Linear)
    return layer


def telling_channels(activations: Tensor, count: int) -> Tensor:
    """The `count` channels that best span all, by QR with column pivoting; activations (n, C)."""
    centred = (activations - activations.mean(0)).double().cpu().numpy()
    # R of a first QR has the same inner products as the activations, in far fewer rows.
    pivots = qr(qr(centred, mode="r")[0][: centred.shape[1]], mode="r", pivoting=True)[1]
    return torch.from_numpy(pivots[:count].astype("int64"))


# Training


def unexplained(
    student: VGG,
    heads: nn.ModuleDict,
    lesson: Lesson,
    unit: dict[str, Tensor],
    stride: int = 1,
) -> dict[str, Tensor]:
    """1 - R² of each layer's targets; in blocks 1 and 2 only every `stride`-th row and column."""
    image, targets = lesson
    features = student(image, [f"relu{n}" for n in CONVOLUTIONS])
    result = {}
    for name in CONVOLUTIONS:
        step = stride if name[0] in "12" else 1
        top, left = (random.randrange(step) for _ in range(2))
        x, y = (
            f[..., 1 + top : -1 : step, 1 + left : -1 : step].permute(0, 2, 3, 1)
            for f in (features[f"relu{name}"], targets[name])
        )
        result[name] = (heads[name](x) - y.float() / unit[name]).square().mean()
    return result


@torch.no_grad()
def units(lessons: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Each layer's standard deviation: in these units its mean squared error is 1 - R²."""
    return {
        n: torch.cat([rows(t[n].float()) for t in lessons]).var(0).mean().sqrt()
        for n in CONVOLUTIONS
    }


def rate(step: int, steps: int, warm_up: int = 100) -> float:
    """Learning-rate factor: a short rise, a plateau, and a cosine fall over the last 60 %."""
    fall = max(0.0, (step / steps - 0.4) / 0.6)
    return min(1.0, (step + 1) / warm_up) * (
        0.5 + 0.5 * torch.cos(torch.tensor(fall * torch.pi)).item()
    )


class Training:
    """The student, its heads and their optimiser, with a way to the disk and back."""

    def __init__(self, out: Path, exam: list[Lesson], device: torch.device, learning_rate: float):
        self.out, self.exam, self.step = out, exam, 0
        self.state = out.with_suffix(".training.pt")
        self.unit = units([targets for _, targets in exam])
        self.student = VGG(ARCHITECTURES["vgg19_quarter"]).requires_grad_(True)
        self.heads = nn.ModuleDict(
            {
                n: nn.Linear(convolution(self.student, n).out_channels, exam[0][1][n].shape[1])
                for n in CONVOLUTIONS
            }
        )
        self.student.to(device)
        self.heads.to(device)
        self.parameters = [*self.student.parameters(), *self.heads.parameters()]
        # Adam in the eigenbasis of the gradients' covariance (Vyas et al. 2024). In the first 250
        # steps R² at relu3_1 rose by 0.046, with Adam by 0.023; a step costs 1.2 times Adam's.
        self.optimizer = SOAP(self.parameters, lr=learning_rate, weight_decay=0.0)
        self.learning_rate = learning_rate

    def save(self) -> None:
        """Write the state, from which `load` goes on, and the weights as the package ships them."""
        state = {
            "student": self.student.state_dict(),
            "heads": self.heads.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }
        write_atomically(self.state, lambda file: torch.save(state, file))
        weights = {
            key.removeprefix("layers."): value.half()
            for key, value in self.student.state_dict().items()
        }
        write_atomically(self.out, lambda file: file.write(save(weights)))

    def load(self) -> None:
        """Take up the state that `save` wrote."""
        state = torch.load(self.state, map_location="cpu", weights_only=True)
        self.student.load_state_dict(state["student"])
        self.heads.load_state_dict(state["heads"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def learn(self, lesson: Lesson, steps: int) -> float:
        """One step; returns the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * rate(self.step, steps)
        losses = unexplained(self.student, self.heads, lesson, self.unit, stride=2)
        loss = torch.stack([WEIGHTS[n] * lost for n, lost in losses.items()]).sum()
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.step += 1
        return loss.item()

    @torch.no_grad()
    def examine(self) -> str:
        """R² on the held-out pictures, as a line of text."""
        totals = [unexplained(self.student, self.heads, lesson, self.unit) for lesson in self.exam]
        means = {n: 1 - sum(t[n].item() for t in totals) / len(totals) for n in CONVOLUTIONS}
        return f"{self.step:6d} " + " ".join(f"{n} {r2:.3f}" for n, r2 in means.items())


def main() -> None:
    """Parse the arguments, train, and print how good the network has become."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    suffixes = (".jpg", ".jpeg", ".png")
    paths = sorted(p for p in args.photos.iterdir() if p.suffix.lower() in suffixes)
    exam_paths = paths[:: args.hold_out]
    pictures = read_pictures([p for p in paths if p not in exam_paths])
    device = pick_device(args.device)
    teachers = load_teachers(args.teacher, device)
    corner = max(CROPS)
    crops = [p[None, :, :corner, :corner].to(device) / 255 for p in read_pictures(exam_paths)]
    exam = [(crop, teach(teachers, crop)[1]) for crop in crops]
    training = Training(args.out, exam, device, args.learning_rate)
    if training.state.exists():
        training.load()
    random.seed(args.seed + training.step)
    torch.manual_seed(args.seed + training.step)
    if not training.step:
        images = [random_batch(pictures).to(device) for _ in range(40)]
        if args.start:
            fit_weights(training.student.layers, read_weights(args.start), str(args.start))
        trained = args.start is not None
        first_weights(training.student, training.heads, teachers, images, training.unit, trained)
        print(training.examine(), flush=True)
    lessons = Lessons(teachers, pictures, device, args.reuse, args.disturbed)
    bar = tqdm(total=args.steps, initial=training.step, desc="training", mininterval=5)
    with bar, interruptible() as interrupted:
        while training.step < args.steps and not interrupted.is_set():
            loss = training.learn(lessons.draw(), args.steps)
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update()
            if training.step % 250 == 0:
                training.save()
                bar.write(training.examine())
    training.save()
    print(training.examine())


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--teacher", nargs="+", type=Path, required=True, metavar="FILE")
    add("--photos", type=Path, required=True, help="folder of JPEG or PNG pictures")
    add("--out", type=Path, default=Path("outputs/vgg19_quarter.safetensors"))
    add("--start", type=Path, metavar="FILE", help="a trained network, to be trained further")
    add("--steps", type=int, default=5500)
    add("--learning-rate", type=float, default=3e-3)
    add("--reuse", type=float, default=4.0, help="how often a batch is used")
    add("--disturbed", type=float, default=0.5, metavar="SHARE", help="of the crops")
    add("--hold-out", type=int, default=15, metavar="K", help="every K-th picture")
    add("--device", help="cpu, cuda, …; by default a GPU if there is one")
    add("--threads", type=int, default=torch.get_num_threads())
    add("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
