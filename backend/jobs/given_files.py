"""The files that a job is made from: what they are, and how they are kept in the job's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.jobs import input_files, originals
from backend.jobs.input_files import Facts
from backend.jobs.job import StoredInput
from backend.jobs.originals import Find, OriginalLimits, Upload
from backend.media import check
from backend.media.decoder import Decoder
from workflows.modes.registry import MODES, media_fields
from workflows.notice import Notice
from workflows.params.media import Media
from workflows.spec import ModeParams


@dataclass(frozen=True)
class GivenFiles:
    """Files by parameter. `titles`: their names in messages; `whole`: the pictures that are kept as they were
    sent."""

    facts: Mapping[str, Facts]
    titles: Mapping[str, str]
    uploads: Mapping[str, Upload]
    whole: frozenset[str]

    @property
    def sizes(self) -> dict[str, Media]:
        """Their measures."""
        return {name: input_files.as_media(facts, name) for name, facts in self.facts.items()}

    @property
    def notes(self) -> dict[str, Notice | None]:
        """Warnings about files that are accepted all the same."""
        return {name: input_files.note(facts, name) for name, facts in self.facts.items()}

    def kept_bytes(self, params: ModeParams) -> dict[str, int]:
        """An upper bound of the bytes that `keep` adds to the disk for each parameter."""
        return input_files.kept_bytes(params, self.uploads, self.whole, self.facts)

    def keep(self, decoder: Decoder, params: ModeParams, folder: Path) -> dict[str, StoredInput]:
        """Stores the files in a job's folder (see input_files.keep). Raises BadMedia, DiskFull, OSError."""
        return input_files.keep(
            decoder, params, self.uploads, self.whole, self.sizes, folder, self.notes, self.titles
        )


class FileChecker:
    """Looks at the files of new jobs. `limits`: of the pictures that are kept as they were sent."""

    def __init__(
        self, decoder: Decoder, find: Find, jobs_dir: Path, limits: OriginalLimits | None = None
    ) -> None:
        self._decoder, self._find, self._jobs_dir = decoder, find, jobs_dir
        self.limits = limits or OriginalLimits()

    def look(
        self,
        owner_id: str,
        mode: str,
        files: Mapping[str, Path],
        titles: Mapping[str, str],
        names: Mapping[str, str] = {},
    ) -> GivenFiles:
        """`titles`: the names in messages, else those of the files; `names`: the owner's names for them.
        Raises BadMedia, with the parameter."""
        fields = {name: field for name, field in media_fields(mode).items() if name in files}
        said = {name: titles.get(name) or files[name].name for name in files}
        facts = {
            name: input_files.look(self._decoder, field.kind, files[name], name, said[name])
            for name, field in fields.items()
        }
        uploads = {
            name: self._upload(owner_id, name, files[name], facts[name], names.get(name, ""))
            for name in fields
        }
        pictures = {name: uploads[name] for name in uploads if MODES[mode].files[name].kind == "picture"}
        return GivenFiles(facts, said, uploads, originals.kept(pictures, self.limits))

    def _upload(self, owner_id: str, name: str, path: Path, facts: Facts, title: str) -> Upload:
        """title: the owner's name for the file, "" for the file's own. Raises BadMedia when it is gone."""
        media = input_files.as_media(facts, name)
        try:
            return originals.look(path, owner_id, self._find, self._jobs_dir, media, title)
        except OSError as error:
            raise check.missing(title or path.name, name) from error
