"""What came from outside is shown as it is, and obeyed by neither terminal nor shell nor reader."""

import subprocess

import pytest

from athena_assets.errors import InvalidArgument
from athena_assets.wording import need_words, one_line, printable, shell_word

ACTING = {
    "escape": "\x1b[2J", "bell": "\x07", "return": "a\rb", "of eight bits": "\x9b2J", "next line": "a\x85b",
    "separator": "a\u2028b", "turned": "a\u202eb", "half": "a\udcffb",
}  # fmt: skip
STANDING = ("", "[bold]cut[/bold]", "Ängström 森 العربية", "👩‍🚀 :warning:", "a\u00a0b", r"C:\new")


@pytest.mark.parametrize("text", ACTING.values(), ids=ACTING)
def test_text_when_it_would_act_then_it_is_shown_as_its_escapes_and_refused_as_words(text: str) -> None:
    for shown in (printable(text), one_line(text)):
        assert shown != text
        assert shown.isprintable()
        assert "\\" in shown
    with pytest.raises(InvalidArgument, match="--by holds what does not belong"):
        need_words("--by", f"Ada {text} Lovelace")


@pytest.mark.parametrize("text", STANDING)
def test_text_when_it_only_says_something_then_it_stands(text: str) -> None:
    assert printable(text) == one_line(text) == text
    assert text == "" or need_words("--reason", f" {text}\n") == text


def test_text_when_it_has_lines_then_they_stand_only_where_there_may_be_lines() -> None:
    assert printable("a\n\tb") == "a\n\tb"
    assert one_line("a\n\tb") == r"a\n\tb"
    with pytest.raises(InvalidArgument, match="--reason"):
        need_words("--reason", "lost\nnext: athena night")


@pytest.mark.parametrize("text", ["", " \n"])
def test_words_when_they_say_nothing_then_they_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="--by says nothing"):
        need_words("--by", text)


@pytest.mark.parametrize(
    "text", ["plain", "two words", "a\nnext: it's \\ a line", "\x1b[2J", "a\x9bb\u2028c", "$HOME 'x'"]
)
def test_shell_word_when_bash_reads_it_then_it_is_the_text_again_and_it_is_one_line(text: str) -> None:
    word = shell_word(text)
    assert one_line(word) == word
    read = subprocess.run(
        ["bash", "-c", f"printf %s {word}"], env={"LC_ALL": "C.UTF-8"}, capture_output=True, check=True
    )
    assert read.stdout.decode() == text
