"""The arguments and options of `facesieve build`, with their help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class CropsAs(StrEnum):
    files = "files"
    shards = "shards"


Sources = Annotated[
    list[str],
    typer.Argument(metavar="SOURCE", help="Files, folders, globs, archives, URLs, buckets, lists of these."),
]
Output = Annotated[
    str,
    typer.Option("--output", "-o", metavar="DATASET", help="Folder of the dataset, or s3://, gs://, az://."),
]
LabelFrom = Annotated[
    str,
    typer.Option(
        metavar="none|folder|folder:1|name:PATTERN",
        help="Label faces with the folder of their picture, with the first folder below SOURCE (folder:2: second),"
        " or with the group `label` of a regular expression in its path.",
    ),
]
Policy = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="Rules: reference, strict, lenient, gallery, training, footage, or a TOML file.",
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="LIMIT=VALUE", help="Change a limit of the policy: max_yaw=30."),
]
OnePerPicture = Annotated[
    bool, typer.Option("--one-per-picture", help="Keep one face of each picture: --set max_rank_in_picture=1.")
]
GivenSettings = Annotated[
    list[str] | None,
    typer.Option("--setting", metavar="NAME=VALUE", help="Change a setting: crop_size=160."),
]
SettingsFile = Annotated[Path | None, typer.Option("--settings", metavar="FILE", help="TOML file of settings.")]
KeepRejected = Annotated[bool, typer.Option("--keep-rejected", help="Write crops of rejected faces too.")]
Crops = Annotated[
    str, typer.Option(metavar="face,head", help="Add unaligned crops: the face's box, the head with a margin.")
]
Marked = Annotated[bool, typer.Option("--marked", help="Add the pictures with boxes and numbers drawn.")]
MarkedVideo = Annotated[
    bool, typer.Option("--marked-video", help="Add the clips with boxes and track numbers drawn, as WebM.")
]
CropsAsOption = Annotated[
    CropsAs | None,
    typer.Option(
        show_default=False,
        help="One file per crop, or tar shards for WebDataset. Default: what the dataset has; a new one has files "
        "up to 200,000 pictures.",
    ),
]
Workers = Annotated[str | None, typer.Option(metavar="N|auto", help="Number of processes; auto means one per core.")]
MinFaceSize = Annotated[
    str | None,
    typer.Option(metavar="PIXELS", help="Smallest face to search for; 40 takes less than half the time of 20."),
]
Turns = Annotated[
    str | None,
    typer.Option(metavar="1|4", help="4 also searches pictures that are sideways or upside down, and turns them."),
]
Every = Annotated[
    str | None, typer.Option(metavar="SECONDS", help="Use one frame of a clip in this time; default 0.2.")
]
Frames = Annotated[
    str | None,
    typer.Option(metavar="all|scene|N", help="Use all frames of a clip, the first of each scene, or N."),
]
Start = Annotated[str | None, typer.Option("--from", metavar="SECONDS", help="Read clips from this time on.")]
End = Annotated[str | None, typer.Option("--to", metavar="SECONDS", help="Read clips up to this time.")]
Animated = Annotated[
    str | None, typer.Option(metavar="first|frames", help="Read animated pictures as clips, or their first frame.")
]
Identity = Annotated[
    str | None,
    typer.Option(metavar="MODEL|none", help="Compute embeddings of faces, to check labels: dlib-resnet, sface."),
]
Device = Annotated[str | None, typer.Option(metavar="cpu|cuda", help="Where networks run.")]
FollowLinks = Annotated[bool, typer.Option("--follow-links", help="Follow links that lead out of the named folder.")]
IncludeHidden = Annotated[
    bool,
    typer.Option("--include-hidden", help="Read hidden files and folders, and those of trash and NAS systems."),
]
ArchiveEncoding = Annotated[
    str | None, typer.Option(metavar="NAME", help="Encoding of names in old archives: gbk, shift_jis, cp437.")
]
PathColumn = Annotated[str | None, typer.Option(metavar="NAME", help="Column of paths in lists.")]
LabelColumn = Annotated[str | None, typer.Option(metavar="NAME", help="Column of labels in lists.")]
ListEncoding = Annotated[
    str | None, typer.Option(metavar="NAME", help="Encoding of lists that are not Unicode: cp1252, gbk, shift_jis.")
]
AllowAddress = Annotated[
    list[str] | None,
    typer.Option(metavar="CIDR", help="Network of your own that URLs may lead to: 10.0.0.0/8. May be repeated."),
]
Prune = Annotated[
    bool, typer.Option("--prune", help="Remove pictures from the dataset that are no longer in the named sources.")
]
AllowAgain = Annotated[bool, typer.Option("--allow-again", help="Add pictures again that were removed with `forget`.")]
On = Annotated[
    str | None,
    typer.Option(metavar="ray|ray://HOST:PORT", help="Build in a Ray cluster; ray alone starts a local one."),
]
Shard = Annotated[
    str | None,
    typer.Option(metavar="K/N", help="Build only the Kth of N parts of the sources; `merge` joins the datasets."),
]
WorkFolder = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Working folder of a dataset in a bucket. Default: one in the cache."),
]
AllowMixedEngines = Annotated[
    bool,
    typer.Option(
        "--allow-mixed-engines",
        help="Continue a dataset, or use nodes, with another inference engine, and record both.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show only the last line, no progress.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")]
