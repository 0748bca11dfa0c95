"""The arguments of `python app.py run`."""

from __future__ import annotations

from typing import Any

from workflows.modes.registry import MODES

OF_CLIPS = ("extend", "finish")
"""The endpoints that continue a finished clip, given its id and key."""
DESCRIPTION = (
    "Makes a video or picture and saves it here. A studio that runs on this machine does it; without one,"
    " one is started for as long as it takes. Files are given by name: image=photo.png, or by the job whose"
    " result they are: image=job:ID, image=job:ID@FRAME. extend and finish take the id of a clip. --json"
    " prints ids and keys; a studio elsewhere needs the key too: id=ID key=KEY, image=job:ID:KEY."
)


def add_run(commands: Any) -> None:
    """The `run` command's arguments."""
    names = (*sorted(MODES), *OF_CLIPS)
    parser = commands.add_parser(
        "run", help="make a video or picture from the command line", description=DESCRIPTION
    )
    parser.add_argument("what", choices=names, metavar="MODE", help=", ".join(names))
    parser.add_argument(
        "values", nargs="*", metavar="key=value", help="image=photo.png prompt='...' seconds=5 ..."
    )
    parser.add_argument("--variations", type=int, default=1, metavar="N", help="make N of it (2 to 9)")
    parser.add_argument(
        "--vary", default="", metavar="JSON", help='one for each value: \'{"motion": ["subtle", "dynamic"]}\''
    )
    parser.add_argument("--out", metavar="FILE", help="the file, or the folder, to save the result as")
    parser.add_argument("--json", action="store_true", help="print the job record as JSON")
    parser.add_argument(
        "--no-wait", action="store_true", help="return once it is queued; needs a studio that is running"
    )
    parser.add_argument(
        "--url", default="", metavar="URL", help="the studio to use (default: this machine's)"
    )
    parser.add_argument(
        "--owner",
        default="",
        metavar="TOKEN",
        help="whose video it is: 16 to 200 letters, digits, - or _ (default: WAN_OWNER, else a token of this"
        " machine)",
    )
    parser.add_argument(
        "--login",
        default="",
        metavar="USER:PASSWORD",
        help="for a studio with a login (default: WAN_LOGIN, else the first of WAN_AUTH on this machine)",
    )
