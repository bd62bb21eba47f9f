"""Reading a script: YAML in, a questionnaire that can be relied on out.

A script that is read was checked as a whole, and whatever is wrong with it is said at once, each
problem with its line and column (``ScriptError``). The dialogue never meets a script with a hole.
The format is described in docs/reference/script-format.md.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib.resources import files
from pathlib import Path

from scripts.marked_yaml import MarkedYaml, Problem, ScriptError
from scripts.question_reading import QuestionReader
from scripts.questionnaire import (
    ENDINGS,
    GATES,
    OPENING_SENTENCES,
    SENTENCES,
    Prompt,
    Questionnaire,
)
from scripts.sentence_reading import SentenceReader

__all__ = ["Problem", "ScriptError", "library", "load", "read"]

_TOP = (
    "id",
    "version",
    "title",
    "review",
    "languages",
    "hints",
    *OPENING_SENTENCES,
    *GATES,
    "questions",
    "readbacks",
    "sentences",
    "endings",
)


def read(source: str | Path, *, findings: Collection[str] | None = None) -> Questionnaire:
    """Read and check one script.

    Args:
        source: the YAML text, or the file that holds it.
        findings: the finding codes that exist; with them, a code that does not is a problem.

    Raises:
        ScriptError: the script has problems; all of them are listed.
        OSError: the file cannot be read.
    """
    if isinstance(source, Path):
        file = str(source)
        try:
            text = source.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ScriptError([Problem(file, 1, 1, f"this is not UTF-8: {error}", "")]) from error
    else:
        file, text = "script", source
    marked = MarkedYaml(text, file)
    questionnaire = _questionnaire(marked, findings)
    marked.raise_problems()
    return questionnaire


def library() -> tuple[str, ...]:
    """The ids of the scripts that come with the product."""
    names = (entry.name for entry in files("scripts").joinpath("library").iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def load(
    script_id: str, folder: Path | None = None, *, findings: Collection[str] | None = None
) -> Questionnaire:
    """Find a script by its id and read it; the hospital's folder wins over the library.

    Raises:
        LookupError: neither has it.
        ScriptError: it has problems.
    """
    own = [] if folder is None else sorted(folder.glob("*.yaml"))
    for path in own:
        if path.stem == script_id:
            return read(path, findings=findings)
    if script_id in library():
        shipped = files("scripts").joinpath("library", f"{script_id}.yaml")
        return read(Path(str(shipped)), findings=findings)
    known = ", ".join(sorted({*library(), *(path.stem for path in own)}))
    raise LookupError(f"no script is called {script_id!r}; there are: {known}")


def _questionnaire(marked: MarkedYaml, findings: Collection[str] | None) -> Questionnaire:
    """The script; only good if no problem was noted."""
    top = marked.fields(marked.root(), _TOP)
    languages = marked.texts(top["languages"])
    if not languages:
        marked.problem(top["languages"], "a script needs a language")
    sentences = SentenceReader(marked, languages)
    questions = QuestionReader(marked, sentences, findings)
    spoken: dict[str, Prompt] = {}
    for group, names in (("sentences", SENTENCES), ("endings", ENDINGS)):
        for name, node in marked.fields(top[group], names).items():
            spoken[name] = sentences.prompt(node, name, name_allowed=name == "closing")
    return Questionnaire(
        id=marked.text(top["id"]),
        version=str(marked.scalar(top["version"])),
        languages=languages,
        title=sentences.words(top["title"]),
        review=marked.text(top["review"]),
        hints=sentences.lists(top["hints"]),
        opening=sentences.prompt(top["opening"], "opening", name_allowed=True, disclosure=True),
        identity=questions.gate(top["identity"], "identity"),
        fetch=questions.gate(top["fetch"], "fetch"),
        birth_year=questions.gate(top["birth_year"], "birth_year"),
        consent=questions.gate(top["consent"], "consent"),
        begin=sentences.prompt(top["begin"], "begin", name_allowed=True),
        questions=questions.questions(top["questions"]),
        readbacks=questions.readbacks(top["readbacks"]),
        spoken=spoken,
        source=marked.source,
    )
