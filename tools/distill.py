"""Train the built-in network `vgg19_quarter` to know what VGG-19 knows, and judge it.

    python tools/distill.py train --teacher vgg19.pth --pictures FOLDER … --seconds 3600
    python tools/distill.py train --teacher blocks.safetensors encoder.safetensors --pictures …
    python tools/distill.py join --earlier FILE --later FILE --first 4_1 --pictures FOLDER …
    python tools/distill.py report --teacher … --held-out FOLDER

The student is VGG-19 up to relu5_1 with a quarter of the channels, average pooling and replicated
borders. It starts as a series of ridge regressions: each layer, from the student's own 3×3 patches
to the teacher's most telling channels. Then it is trained so that linear maps of its activations
("heads", thrown away afterwards) predict the teacher's activations at every layer, and other linear
maps of its Gram matrices those of the teacher. A filter that hardly fires costs too.

It looks at photographs and artworks, some with odd colours and noise, and at paintings in the
making by the student as it is.

--teacher takes a torchvision VGG-19 state dict, whole or its first blocks only. A second file, the
quarter-width encoder of Wang et al. (CVPR 2020, "Collaborative Distillation"), teaches the layers
that the first one lacks: its own activations, and its estimates of VGG-19's relu4_1 and relu5_1.

A stretch of training lasts --seconds, and its learning rate falls to 0 at their end. Stop it at any
time: the same command goes on from the state that it left, with a new stretch. The state of the
package's weights lies in tools/distillation; give it to --resume. Where a stretch made some layers
better and some worse, `join` takes those before --first from the earlier state.
"""

import argparse
import random
import statistics
import sys
import time
from pathlib import Path
from typing import TextIO, cast

import torch
from distillation.exam import Exam
from distillation.painting import Studio
from distillation.pictures import Gallery, paths_in, random_batch, read_pictures, read_square
from distillation.rounding import rounding
from distillation.student import even_out, first_weights, new_student, take_over
from distillation.style import judge, judged_pairs, paint, sheet
from distillation.teachers import CONVOLUTIONS, Teachers
from distillation.training import Clock, Training, join, part, ship
from safetensors.torch import save
from torch import Tensor
from tqdm import tqdm

from nst.devices import pick_device
from nst.files import write_atomically
from nst.files.checkpoints import fit_weights
from nst.files.weights import read_weights
from nst.loop import interruptible
from nst.networks import VGG, Network, load_network
from nst.networks.scaling import mean_activations

STARTED = time.perf_counter()
HELD_OUT = 15  # every 15th picture of the folders together, in order of names
EXAMINED = 36
MEASURED = 96  # pictures of the first folder, not held out, on which the scale is measured
PAINTING_TIME = 0.08  # the share of the time that goes into paintings


def split(folders: list[Path]) -> tuple[list[list[Path]], list[Path]]:
    """Pictures to learn from, by folder, and the held-out ones."""
    everything = sorted((p for f in folders for p in paths_in(f)), key=lambda p: p.name)
    held_out = set(everything[::HELD_OUT])
    learnt = [[p for p in paths_in(f) if p not in held_out] for f in folders]
    return [paths for paths in learnt if paths], everything[::HELD_OUT]


def measured(learnt: list[list[Path]], device: torch.device) -> list[Tensor]:
    """Squares of MEASURED pictures of the first folder, spread evenly over their names.

    Photographs, as in Gatys et al. (2016, section 2): activations of artworks are larger.
    """
    paths = sorted(learnt[0], key=lambda p: p.name)
    many = min(MEASURED, len(paths))
    chosen = [paths[i * len(paths) // many] for i in range(many)]
    return [read_square(path).to(device) for path in chosen]


def train(args: argparse.Namespace) -> None:
    """Train for the time given, saving and examining as it goes."""
    if args.resume and not args.resume.exists():
        sys.exit(f"there is no state {args.resume} to resume from")
    first, last = (CONVOLUTIONS.index(n) for n in args.only)
    if first > last:
        sys.exit(f"--only names the first convolution, then the last: not {' '.join(args.only)}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    clock = Clock(args.seconds, STARTED)
    device = pick_device(args.device)
    precision = args.precision or ("bfloat16" if device.type == "cuda" else "float32")
    torch.backends.cudnn.benchmark = True  # the shapes are few
    folders, held_out = split(args.pictures)
    if args.held_out:
        folders, held_out = [paths_in(f) for f in args.pictures], paths_in(args.held_out)
    galleries = [Gallery(read_pictures(paths), device) for paths in folders]
    exam = Exam(held_out[:EXAMINED], Teachers(args.teacher).to(device), device)
    teachers = Teachers(args.teacher, padding="replicate").to(device)
    teachers.to(memory_format=torch.channels_last)
    training = Training(
        args.out, {n: a[0].shape[1] for n, a in exam.answers.items()}, exam.unit, device, precision
    )
    log = args.out.with_suffix(".log").open("a")
    print(f"read everything: {clock.gone():.0f} s on {device}", file=log, flush=True)
    random.seed(args.seed)
    torch.manual_seed(args.seed)
    start = next((p for p in (training.state, args.resume) if p and p.exists()), None)
    if start:
        training.load(start)
        random.seed(args.seed + training.steps)
        torch.manual_seed(args.seed + training.steps)
    else:
        images = [random_batch(galleries, 2**17) for _ in range(args.first_batches)]
        every = {n: torch.ones(count, dtype=torch.bool) for n, count in channels(training).items()}
        if args.start:
            fit_weights(training.student.layers, read_weights(args.start), str(args.start))
            every = take_over(training.student, [galleries[0].crops(24, 256)])
        first_weights(training.student, training.heads, teachers, images, exam.unit, every)
        even_out(training.student, training.heads, [galleries[0].crops(24, 256)])
    scale_on = measured(folders, device)
    report_line(training, exam, clock, log, scale_on)
    training.begin(args.learning_rate, CONVOLUTIONS[first : last + 1])
    studio = Studio(galleries, args.pixels, device, precision)
    painting, examined, loss = 0.0, clock.gone(), torch.zeros(())
    with interruptible() as interrupted:
        while clock.share() < 1 and not interrupted.is_set():
            if painting < PAINTING_TIME * clock.gone() and training.stretch > 20:
                before = clock.gone()
                studio.work(training.student)
                wait(device)
                painting += clock.gone() - before
            image = random_batch(galleries, args.pixels, studio.gallery)
            with rounding(image, precision):
                targets = teachers(image)[1]
            loss = training.learn(image, targets, clock.share())
            if training.stretch % 10 == 0:
                wait(device)  # so that the clock tells the truth
            if clock.gone() - examined > args.every:
                report_line(training, exam, clock, log, scale_on, loss)
                examined = clock.gone()
    report_line(training, exam, clock, log, scale_on, loss)


def join_states(args: argparse.Namespace) -> None:
    """Write the state, and the weights, that two stretches make together."""
    state = join(args.earlier, args.later, args.first)
    write_atomically(args.out.with_suffix(".training.safetensors"), lambda f: f.write(save(state)))
    student = new_student().requires_grad_(False)
    student.load_state_dict(part(state, "student"))
    ship(student, measured(split(args.pictures)[0], torch.device("cpu")), args.out)


def report(args: argparse.Namespace) -> None:
    """Print how networks' filters fare, what they know, and how much of a style they leave."""
    device = pick_device(args.device)
    teachers = Teachers(args.teacher).to(device)
    exam = Exam(paths_in(args.held_out)[:EXAMINED], teachers, device)
    pairs = judged_pairs(args.held_out, device)
    networks: dict[str, Network] = {"built-in": load_network("vgg19_quarter", device=device)}
    for path in args.weights:
        student = new_student().requires_grad_(False)
        fit_weights(student.layers, read_weights(path), str(path))
        networks[path.stem] = student.to(device)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, network in networks.items():
        print(name, *(f"{n} {v:.3f}" for n, v in exam.explained(cast(VGG, network)).items()))
        print(name, *(f"{k} {v:.3g}" for k, v in exam.health(cast(VGG, network)).items()))
        means = mean_activations(network, exam.images)
        print(name, "means", *(f"{n} {m.mean().item():.3f}" for n, m in means.items()))
        weakest = {n: (m.min() / m.mean()).item() for n, m in means.items()}
        print(name, "weakest", *(f"{n} {w:.3f}" for n, w in weakest.items()), flush=True)
        painted = {pair: paint(network, c, s) for pair, c, s in pairs}
        marks = [judge(teachers, painted[pair], c, s) for pair, c, s in pairs]
        for (pair, _, _), (left, moved) in zip(pairs, marks, strict=True):
            print(f"{name} {pair}: style left {left:.4f}, content moved {moved:.3f}")
        left, moved = (statistics.median(column) for column in zip(*marks, strict=True))
        print(f"{name} median: style left {left:.4f}, content moved {moved:.3f}", flush=True)
        sheet(list(painted.values())).save(args.out / f"style-{name}.png")


def channels(training: Training) -> dict[str, int]:
    """Of each layer of the student."""
    return {n: head.in_features for n, head in training.heads.features.items()}  # type: ignore[misc]


def wait(device: torch.device) -> None:
    """Until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def report_line(
    training: Training,
    exam: Exam,
    clock: Clock,
    log: TextIO,
    scale_on: list[Tensor],
    loss: Tensor | None = None,
) -> None:
    """Save, examine, and say how it went."""
    if loss is not None and not loss.isfinite():
        sys.exit("the loss is no number any more; the state last saved is kept")
    training.seconds = clock.gone()
    training.save(scale_on)
    r2 = " ".join(f"{n} {v:.3f}" for n, v in exam.explained(training.student).items())
    health = " ".join(f"{k} {v:.3g}" for k, v in exam.health(training.student).items())
    lost = "" if loss is None else f"loss {loss.item():.3f} "
    line = f"{clock.gone():6.0f} s {training.steps:6d} {lost}{r2} {health}"
    tqdm.write(line)
    print(line, file=log, flush=True)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    trainer = commands.add_parser("train", help="make the network, or make it better")
    trainer.set_defaults(command=train)
    add = trainer.add_argument
    add("--teacher", nargs="+", type=Path, required=True, metavar="FILE")
    add(
        "--pictures", nargs="+", type=Path, required=True, metavar="FOLDER",
        help="first of photographs, on which the weights' scale is measured",
    )  # fmt: skip
    add("--held-out", type=Path, metavar="FOLDER", help=f"instead of every {HELD_OUT}th picture")
    add("--seconds", type=float, default=3600, help="how long, all included")
    add("--out", type=Path, default=Path("outputs/vgg19_quarter.safetensors"))
    add("--resume", type=Path, metavar="FILE", help="a state, unless one lies beside --out")
    add("--start", type=Path, metavar="FILE", help="weights for max pooling, to be taken over")
    add("--first-batches", type=int, default=40, help="for the ridge regressions")
    add("--learning-rate", type=float, default=3e-3)
    add(
        "--only", nargs=2, choices=CONVOLUTIONS, metavar=("FIRST", "LAST"),
        default=(CONVOLUTIONS[0], CONVOLUTIONS[-1]), help="the layers that learn, such as 4_1 5_1",
    )  # fmt: skip
    add("--pixels", type=int, default=2**17, help="of a step's crops together")
    add("--every", type=float, default=300, metavar="SECONDS", help="between exams")
    add("--device", help="cpu, cuda, …; by default a GPU if there is one")
    add("--precision", choices=("float32", "bfloat16"), help="bfloat16 on NVIDIA's GPUs")
    add("--seed", type=int, default=0)
    joiner = commands.add_parser("join", help="make one state of two stretches")
    joiner.set_defaults(command=join_states)
    add = joiner.add_argument
    add("--earlier", type=Path, required=True, metavar="FILE", help="a state")
    add("--later", type=Path, required=True, metavar="FILE", help="a state that came from it")
    add("--first", choices=CONVOLUTIONS, required=True, help="the first layer to be the later's")
    add("--pictures", nargs="+", type=Path, required=True, metavar="FOLDER")
    add("--out", type=Path, default=Path("outputs/vgg19_quarter.safetensors"))
    reporter = commands.add_parser("report", help="filters, R² and style of networks")
    reporter.set_defaults(command=report)
    add = reporter.add_argument
    add("--teacher", nargs="+", type=Path, required=True, metavar="FILE")
    add("--held-out", type=Path, required=True, metavar="FOLDER", help="with the judged pictures")
    add("--weights", nargs="*", type=Path, default=[], metavar="FILE", help="beside the built-in")
    add("--out", type=Path, default=Path("outputs"))
    add("--device")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    arguments.command(arguments)
